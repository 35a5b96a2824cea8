"""Finding, probing and cutting videos, and putting clips together again."""
