"""Starting the stack: a launcher for the same XML files that `ros2 launch` reads, and the demo."""
