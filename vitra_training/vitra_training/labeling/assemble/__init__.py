"""Episodes out of the labels, in the formats that training reads."""
