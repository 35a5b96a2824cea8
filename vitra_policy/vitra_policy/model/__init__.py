"""The VITRA network, one file per idea."""
