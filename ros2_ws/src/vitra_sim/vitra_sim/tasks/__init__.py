"""Tasks and their judges."""
