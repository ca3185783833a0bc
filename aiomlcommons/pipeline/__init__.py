"""Streaming many rows through a model: sources, the flow between them, and sinks."""
