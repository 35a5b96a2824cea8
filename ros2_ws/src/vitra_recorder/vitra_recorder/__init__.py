"""The recorder: one MCAP rosbag2 per run, written beside the robot without slowing it down."""
