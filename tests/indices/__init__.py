"""Indices that fit a model."""
