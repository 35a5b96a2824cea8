"""Chunks in time: curves through steps, the chunk timeline, temporal ensembling. Pure functions of time."""
