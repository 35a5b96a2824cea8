"""What the paper compares with: other data, other labels, other pretraining targets."""
