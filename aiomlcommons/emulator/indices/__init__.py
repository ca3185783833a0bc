"""Indices of users: documents, bulk writes and searches, as far as a job of embeddings and its reader need them."""
