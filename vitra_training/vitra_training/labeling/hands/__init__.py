"""Hands in the image, followed over time, and fitted with the MANO-convention skeleton."""
