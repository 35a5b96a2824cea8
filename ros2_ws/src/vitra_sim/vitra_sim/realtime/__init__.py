"""The world in real time: physics thread, shared state, images, traces, faults."""
