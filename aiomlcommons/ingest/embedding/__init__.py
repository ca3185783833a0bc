"""Embedding of batches: requests with retries, bisection of failing batches, the vector cache, and redeployment."""
