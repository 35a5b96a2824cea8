"""Policies over a network: wire format, server, client."""
