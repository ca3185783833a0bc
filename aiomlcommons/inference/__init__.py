"""Text in, arrays out: the typed helpers over predict, the vector decode path, and streams of batches."""
