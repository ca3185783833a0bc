"""Monitoring: server info, statistics, profiles and tasks."""
