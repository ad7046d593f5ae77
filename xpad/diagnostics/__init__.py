"""Whether to trust it: what the data hold (`check`), and the evidence for the number of clusters (`k`)."""
