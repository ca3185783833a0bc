"""Canaries: a secret planted in every place where one can enter, and a search of everything that leaves."""
