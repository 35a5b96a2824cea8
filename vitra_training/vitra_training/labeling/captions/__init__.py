"""What each segment shows, in words."""
