"""The steps of the method on plain arrays: autoencoder, PCA, mean shift, k-means, Ward, scores."""
