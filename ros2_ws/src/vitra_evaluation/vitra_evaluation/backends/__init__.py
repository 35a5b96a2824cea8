"""Where trials run: the robot graph or lockstep simulation, and what they measure."""
