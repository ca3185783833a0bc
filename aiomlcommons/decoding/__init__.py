"""Bytes of a server to plain values, within bounds: a few bytes of JSON or CBOR may stand for a lot of memory."""
