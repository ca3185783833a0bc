"""Batches through the model: requests with retries, halving, the cache, and a model that is put back."""
