"""Searches of indices: typed hits, page after page, and the query that fits an index for a text."""
