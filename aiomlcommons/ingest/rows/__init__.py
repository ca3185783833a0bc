"""Rows to batches: validation, deduplication, batching, and tracking of the rows that are settled."""
