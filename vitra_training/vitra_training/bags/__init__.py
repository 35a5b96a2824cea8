"""Recorded rosbags: reading, checking, repairing, trimming, converting."""
