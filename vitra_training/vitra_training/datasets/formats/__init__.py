"""File formats of data sets: readers and writers."""
