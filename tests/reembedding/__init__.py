"""Tests of re-embedding."""
