"""Hands in the world: smoothed, with validity and uncertainty."""
