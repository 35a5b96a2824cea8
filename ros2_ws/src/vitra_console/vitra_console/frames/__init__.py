"""Frames of the robot: the URDF as a tree of transforms."""
