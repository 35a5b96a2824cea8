"""Where the camera was, and what its lens does."""
