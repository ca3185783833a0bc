"""How fast a job asks: concurrency limit, rate limit, retry budget, stall timeout. Knows nothing else of ingest."""
