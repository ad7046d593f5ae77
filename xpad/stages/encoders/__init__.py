"""Ways to compress rows of features: how they are trained, and how they encode."""
