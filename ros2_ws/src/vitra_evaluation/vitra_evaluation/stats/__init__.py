"""Statistics of success counts: intervals, comparisons, a sequential test, agreement, averages."""
