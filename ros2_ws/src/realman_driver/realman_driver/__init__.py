"""Driver of one Realman RM75 arm."""
