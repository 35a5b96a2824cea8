"""Benchmarks of data loading and training."""
