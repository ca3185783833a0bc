"""``aiomlcommons search``: search an index for a text."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import orjson

from aiomlcommons.api.common import Hit
from aiomlcommons.cli.common import cluster, note
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.tables import print_json, table
from aiomlcommons.masking import without_escapes
from aiomlcommons.searching.plan import Plan

# Characters that are shown of a text.
_SHOWN = 80


async def search(options: argparse.Namespace) -> None:
    """Search an index for a text; print the hits, and to standard error what was sent."""
    chosen = _filter(options.filter)
    async with cluster(options) as ml:
        found = ml.search_text(
            options.index,
            options.text,
            options.model,
            field=options.field,
            text_field=options.text_field,
            hybrid=options.hybrid,
            k=options.k,
            size=options.size,
            filter=chosen,
        )
        plan = await found.plan()
        if options.dry_run:
            print_json(_data(plan)) if options.json else print(without_escapes(str(plan)))
            return
        hits = await found
    if options.json:
        rows = [{"id": hit.id, "score": hit.score, "source": hit.source} for hit in hits]
        print_json({**_data(plan), "total": hits.total, "hits": rows})
        return
    note(options, without_escapes(plan.summary))
    print(table(("SCORE", "ID", "TEXT"), [(f"{hit.score:.4f}", hit.id, _shown(hit, plan)) for hit in hits]))


def _data(plan: Plan) -> dict[str, Any]:
    return {"kind": plan.kind, "reasons": list(plan.reasons), "sent": plan.request.body}


def _filter(text: str | None) -> Mapping[str, Any] | None:
    """Return the query of --filter. Raises UsageError."""
    if text is None:
        return None
    try:
        found = orjson.loads(text)
    except ValueError as error:
        raise UsageError(f"--filter is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError('--filter must be a query as a JSON object, such as \'{"term": {"book": "Proverbs"}}\'')
    return found


def _shown(hit: Hit[dict[str, Any]], plan: Plan) -> str:
    """Return the text of a hit in one line: of the field that was searched, or the longest one."""
    texts = {name: value for name, value in hit.source.items() if isinstance(value, str)}
    text = texts.get(plan.text_field or "", max(texts.values(), key=len, default=""))
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 3]}..."
