"""Datasets: readers, writers, samples, augmentation, mixtures, statistics and the loader."""
