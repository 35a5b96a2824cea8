"""The checks: each takes what was seen and yields what is wrong with it; nothing here looks by itself."""
