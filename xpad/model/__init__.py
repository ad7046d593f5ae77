"""What a fit learned, and how it is saved."""
