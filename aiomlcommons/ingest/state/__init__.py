"""What a bulk job keeps on disk beside its output: checkpoint, ids that it has seen, dead letters."""
