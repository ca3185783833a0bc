"""Agents and their tools, MCP, streaming, context management and index insight."""
