"""Other people's policy servers: which of our numbers go under which of their keys, and what their answers mean."""
