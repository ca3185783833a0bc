"""Asynchronous tasks of the server: polling with exponential backoff until they end or stall."""
