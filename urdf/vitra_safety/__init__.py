"""Safety of every command: guard, motion gate, setpoint stream, stop profile, posture and collision checks. No ROS."""
