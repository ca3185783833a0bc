"""Semantic highlights: the sentences of a hit that a model finds to answer the query, within tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.enriching import INNER
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.querying.scope import values
from aiomlcommons.emulator.querying.sorting import Found

NO_MODEL = "Missing required option: model_id"
TEXTS = {"neural": "query_text", "neural_sparse": "query_text", "match": "query", "match_phrase": "query"}
TEXTS |= {"term": "value", "prefix": "value"}
"""By the name of a query, where its text is."""


async def highlighted(
    cluster: Cluster, body: Mapping[str, Any], found: Sequence[Found], hits: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return hits with what is wanted of them highlighted. Raises Refused, also for highlights of another type."""
    wanted = body.get("highlight")
    if not wanted:
        return hits
    question = " ".join(_texts(body.get("query")))
    fields = wanted.get("fields") or {}
    return [
        {**hit, **(await _of_hit(cluster, wanted, fields, question, one))} for hit, one in zip(hits, found, strict=True)
    ]


async def _of_hit(
    cluster: Cluster, wanted: Any, fields: Mapping[str, Any], question: str, one: Found
) -> dict[str, Any]:
    shown = {}
    for name, own in fields.items():
        options = {**wanted, **own}
        if options.get("type") != "semantic":
            raise not_emulated(f"highlights of type [{options.get('type', 'unified')}]")
        text = " ".join(map(str, values(one.row.source, name)))
        if text and question and (passage := await _passage(cluster, options, question, text)):
            shown[name] = [passage]
    return {"highlight": shown} if shown else {}


async def _passage(cluster: Cluster, options: Mapping[str, Any], question: str, text: str) -> str | None:
    """Return a text with the sentences within tags that a model finds to answer a question; None if there are none."""
    model_id = (options.get("options") or {}).get("model_id")
    if model_id is None:
        raise illegal(NO_MODEL)
    before, after = (
        options.get(f"{kind}_tags", [default])[0] for kind, default in (("pre", "<em>"), ("post", "</em>"))
    )
    spans = await asking.highlights(cluster, str(model_id), question, text)
    # Positions count units of UTF-16.
    units, parts, end = text.encode("utf-16-le"), [], 0
    for span in sorted(spans, key=lambda one: float(one["start"])):
        start, stop = int(span["start"]) * 2, int(span["end"]) * 2
        parts += [units[end:start].decode("utf-16-le"), before, units[start:stop].decode("utf-16-le"), after]
        end = stop
    return "".join([*parts, units[end:].decode("utf-16-le")]) if parts else None


def _texts(query: Any) -> Iterator[str]:
    """Yield the texts that a query looks for."""
    if isinstance(query, list):
        for one in query:
            yield from _texts(one)
    elif isinstance(query, Mapping) and len(query) == 1:
        ((name, wanted),) = query.items()
        if name in TEXTS and isinstance(wanted, Mapping):
            for options in wanted.values():
                text = options.get(TEXTS[name]) if isinstance(options, Mapping) else options
                yield from [str(text)] if text is not None else []
        elif isinstance(wanted, Mapping):
            for part in INNER.get(name, ()):
                yield from _texts(wanted.get(part))
