"""Images of camera messages, decoded in one way for demo, evaluation, training and the policy."""
