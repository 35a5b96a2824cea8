"""The simulated scene: robot, table, objects, camera, physics."""
