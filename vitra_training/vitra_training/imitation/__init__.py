"""Imitation in simulation: a small model with a frozen pretrained tower learns the simulator's tasks on a CPU."""
