"""Checkpoints: our own format and the import of the published reference layout."""
