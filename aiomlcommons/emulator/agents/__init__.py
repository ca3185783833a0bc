"""Agents and what they use: tools, MCP, streams, insight."""
