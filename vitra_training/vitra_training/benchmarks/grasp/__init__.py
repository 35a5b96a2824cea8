"""The grasp benchmark: how near a predicted hand comes to the named object (VITRA, arXiv 2510.21571)."""
