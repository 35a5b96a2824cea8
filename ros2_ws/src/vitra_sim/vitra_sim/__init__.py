"""The simulated robot: MuJoCo world, tasks, scripted expert, lockstep environment, real-time device doubles."""
