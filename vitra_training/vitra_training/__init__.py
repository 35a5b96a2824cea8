"""Data and training for the VITRA policy; never imports ROS."""
