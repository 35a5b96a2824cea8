"""The operator's console of any graph: what is seen in words, and where orders go."""
