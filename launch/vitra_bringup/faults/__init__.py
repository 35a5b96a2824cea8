"""The fault campaign: both arms move, something breaks, and what the robot does is measured."""
