"""Waiting for what the server does after it has answered: tasks, polled with backoff."""
