"""Which episodes are good, and which a robot could follow."""
