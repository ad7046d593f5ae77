"""CDF files: headers read in one walk, variables read when they are asked for."""
