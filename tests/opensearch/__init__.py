"""Tests on a real OpenSearch with k-NN, assembled from its published jars."""
