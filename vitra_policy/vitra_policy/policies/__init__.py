"""Policies: the interface, the registry, observations, real-time chunking, VITRA itself, replay."""
