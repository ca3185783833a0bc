"""Cluster settings, and the configurations that a cluster keeps."""
