"""The web parts that every console of the stack shares: access, server, look."""
