"""How good each label is: measured against truth, with sample sizes and intervals."""
