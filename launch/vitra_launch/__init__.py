"""Reads and runs ROS 2 launch XML where the ros2 CLI is absent."""
