"""Client-side flow control: concurrency limit, rate limit, retry budget, stall timeout; imports nothing of ingest."""
