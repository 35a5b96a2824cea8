"""People judge a sample of segments and captions; how many are right, and how far two judges agree."""
