"""Cutting the motion of a hand into atomic actions."""
