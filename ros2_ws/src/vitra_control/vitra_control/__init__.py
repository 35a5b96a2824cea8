"""From chunks to joint setpoints, and the permission to move."""
