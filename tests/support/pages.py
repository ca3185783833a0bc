"""A page of a search as a server sends it, some of whose documents the user may not read."""

from __future__ import annotations

from typing import Any


def page_of(documents: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Return a page of documents by id; those that are None are hits without a document."""
    hits = [
        {"_index": "i", "_id": key, "_score": None, "sort": [key], **({} if source is None else {"_source": source})}
        for key, source in documents.items()
    ]
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return {"took": 1, "timed_out": False, "_shards": shards, "hits": {"max_score": None, "hits": hits}}
