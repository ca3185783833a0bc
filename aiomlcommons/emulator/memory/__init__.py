"""Conversation memory and memory containers."""
