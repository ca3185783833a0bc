"""Re-embedding: a new model for an index that is in use, without downtime, and with a way back."""
