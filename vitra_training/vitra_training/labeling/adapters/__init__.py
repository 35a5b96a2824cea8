"""Estimators that others trained: run in their own environments, their weights never part of this project."""
