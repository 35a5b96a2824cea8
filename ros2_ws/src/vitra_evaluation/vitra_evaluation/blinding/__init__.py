"""Blindness: the key to the aliases, and policies whose output and timing say nothing of them."""
