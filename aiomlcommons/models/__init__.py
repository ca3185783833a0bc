"""The life of a model: known by name, found, uploaded."""
