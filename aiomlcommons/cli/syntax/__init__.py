"""What can be typed: nouns, verbs, their arguments, help and examples. It imports nothing that is slow."""
