"""Where the head camera is: ChArUco board on the hand mount, guided poses, several solvers, hold-out error, history."""
