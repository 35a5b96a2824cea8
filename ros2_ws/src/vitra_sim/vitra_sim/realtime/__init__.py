"""The world in real time: physics thread, shared state, pictures, traces, faults."""
