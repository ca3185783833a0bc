"""Cluster settings, and stored configurations."""
