"""Conversation memory, and the memory containers of agentic memory."""
