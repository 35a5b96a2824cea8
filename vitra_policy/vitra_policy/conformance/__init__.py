"""Does a policy, or what stands between it and a robot, do real-time chunking right? A suite for either, no ROS."""
