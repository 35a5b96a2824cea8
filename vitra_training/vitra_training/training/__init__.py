"""Training: from typed configurations and data sets to a checkpoint that the robot loads."""
