"""Pipelines: what is done to documents on their way into an index, and to searches on their way out and in."""
