"""What the labels say of the data: sums over clusters, the catalogue, a small spectrogram."""
