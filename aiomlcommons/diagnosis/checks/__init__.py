"""The checks of a diagnosis, one a module: each reads, and says what it saw."""
