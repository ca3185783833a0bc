"""Server-side embedding: jobs whose documents an ingest pipeline of the server embeds while they are indexed."""
