"""Training samples: views, pixels, captions, motion, mixtures, the loader."""
