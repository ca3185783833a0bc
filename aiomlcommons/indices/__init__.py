"""Indices that fit a model: the mapping they need, creating them, and what differs in one that exists."""
