"""From unscripted human video to captioned episodes with hand and camera poses (paper, section III)."""
