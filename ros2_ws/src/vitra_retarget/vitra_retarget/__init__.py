"""From actions of human-convention hands in the camera frame to targets of the robot."""
