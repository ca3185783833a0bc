"""Made-up answers, valid and damaged, for every decoder: ``python -m tests.fuzzing N SEED``."""
