"""Rules for the number of clusters."""
