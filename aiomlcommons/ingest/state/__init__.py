"""What a bulk job keeps on disk beside its output: the checkpoint, the seen ids and the dead letters."""
