"""Data sets: every format that is read or written, and what their numbers promise."""
