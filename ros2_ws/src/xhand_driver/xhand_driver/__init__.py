"""Driver of one XHand1."""
