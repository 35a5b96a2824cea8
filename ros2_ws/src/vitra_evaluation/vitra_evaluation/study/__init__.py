"""The user study of predicted hands: anonymous videos, a top three, points with intervals (paper, general action)."""
