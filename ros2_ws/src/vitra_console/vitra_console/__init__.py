"""What people act with and see: web console, frames of the robot, Rerun view."""
