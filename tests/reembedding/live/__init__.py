"""The great trial: an index in use is re-embedded by a process that is killed again and again."""
