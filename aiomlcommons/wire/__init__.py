"""Typed requests to bytes, and answers back to types. Pure: no I/O."""
