"""The VITRA policy: everything that training and the robot share, free of ROS."""
