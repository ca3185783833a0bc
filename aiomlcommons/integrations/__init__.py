"""Integrations with other libraries. Each module needs its extra, and is imported by nothing else."""
