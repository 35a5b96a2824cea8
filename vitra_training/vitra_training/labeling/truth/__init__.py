"""Egocentric videos with known cameras, hands and actions, rendered with MuJoCo."""
