"""The web console: one page, one websocket."""
