"""Synthetic human episodes: rendered scenes in the VITRA-1M format, for exercising training without licensed video."""
