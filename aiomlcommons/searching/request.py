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
# What would travel in the query string, and the server refuses in the body.
_IN_QUERY = {"ignore_unavailable", "allow_no_indices", "allow_partial_search_results", "request_cache", "search_type"}
# What ``ml.search`` takes besides the body, and a search for a text does not.
_OF_A_QUERY = {"query", "from", "from_", "preference", "routing"}


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
    if wrong := next((name for name in body if name in _IN_QUERY), None):
        raise InvalidRequest(f"{wrong} is no key of the body: `ml.documents.search(index, body, {wrong}=...)` takes it")
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


def check_text_body(body: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for keys of a body that are none of a search for a text: it makes the query itself."""
    if wrong := next((name for name in body if name in _OF_A_QUERY), None):
        raise InvalidRequest(
            f"ml.search_text takes no {wrong}: send the query of its plan, or your own, by ml.search, which does"
        )
