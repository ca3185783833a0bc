"""Serialization of typed requests and deserialization of responses. Pure functions, no I/O."""
