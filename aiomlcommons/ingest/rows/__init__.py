"""Rows to batches: texts and ids read and checked, batches filled, rows tracked until they are dealt with."""
