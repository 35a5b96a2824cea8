"""Performance figures as JSON; nothing here is asserted in tests."""
