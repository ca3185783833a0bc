"""Searches: the query DSL, scores, sorting, and what of a document is shown."""
