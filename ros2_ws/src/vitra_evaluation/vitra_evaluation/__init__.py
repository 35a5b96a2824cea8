"""Blind, scripted, fair trial sessions and a report with honest intervals."""
