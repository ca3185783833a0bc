"""A real OpenSearch with vector search for the tests, put together from its published jars."""
