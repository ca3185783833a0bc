"""Inference: typed helpers over predict, decoding of vectors to numpy, and streaming of batches."""
