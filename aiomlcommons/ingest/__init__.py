"""Bulk embedding: from a source of documents, through a model, into a sink; nothing lost, nothing twice."""
