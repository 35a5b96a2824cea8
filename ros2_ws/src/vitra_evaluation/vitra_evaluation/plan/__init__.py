"""Plans: what a session consists of, read from YAML, checked and scheduled."""
