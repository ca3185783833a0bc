"""Trials of faults: what the client promises, how often it was tried, and what was lost (``docs/reliability.md``)."""
