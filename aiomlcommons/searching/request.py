"""The request of a search, from what the caller gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.documents import SearchDocuments
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.queries import checked_query
from aiomlcommons.record import kind_of

# What the parameters are called in the body.
_NAMED: Mapping[str, str] = {"_source": "source", "from": "from_"}


def search_request(
    index: str,
    query: Mapping[str, Any] | None,
    *,
    size: int | None = None,
    from_: int | None = None,
    sort: Any = None,
    source: Any = None,
    search_pipeline: str | Mapping[str, Any] | None = None,
    preference: str | None = None,
    routing: str | None = None,
    body: Mapping[str, Any],
) -> SearchDocuments:
    """Return the request. A search pipeline that is a dict travels in the body. Raises InvalidRequest."""
    check_count("size", size)
    check_count("from_", from_)
    if search_pipeline is not None and not isinstance(search_pipeline, str | Mapping):
        raise InvalidRequest(
            f"search_pipeline must be the name of one, or one as a dict, not {kind_of(search_pipeline)}"
        )
    if wrong := next((name for name in body if name in _NAMED), None):
        raise InvalidRequest(f"{wrong} is the parameter {_NAMED[wrong]}: give it as {_NAMED[wrong]}=")
    given = {
        "query": None if query is None else checked_query("query", query),
        "size": size,
        "from": from_,
        "sort": sort,
        "_source": source,
        "search_pipeline": search_pipeline if isinstance(search_pipeline, Mapping) else None,
    }
    return SearchDocuments(
        index,
        {**{name: value for name, value in given.items() if value is not None}, **body},
        search_pipeline=search_pipeline if isinstance(search_pipeline, str) else None,
        preference=preference,
        routing=routing,
    )


def check_count(name: str, value: Any, *, least: int = 0) -> None:
    """Raise InvalidRequest unless a value is a whole number from ``least`` on, or None."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise InvalidRequest(f"{name} must be a whole number of at least {least}, not {value!r}")
