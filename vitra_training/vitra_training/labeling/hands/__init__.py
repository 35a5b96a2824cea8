"""Hands in the picture, followed over time, and fitted with the MANO-convention skeleton."""
