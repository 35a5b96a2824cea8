"""Sessions: trials one after the other, each committed before the next."""
