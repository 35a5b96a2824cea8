"""What every node of the stack has in common; no logic of the robot lives here."""
