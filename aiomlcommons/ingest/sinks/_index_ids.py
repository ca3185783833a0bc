"""Documents of an index whose server takes no ids of a caller: their own ids are kept in a field."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiomlcommons.ingest.types import Refused, Row

log = logging.getLogger("aiomlcommons")
# What collections of Amazon OpenSearch Serverless say, but for those of the type SEARCH.
NO_IDS = "Document ID is not supported"


def with_ids(ids: Sequence[str], rows: Sequence[Row], id_field: str) -> list[Row]:
    """Return the rows with their ids in a field, unless they have something else there."""
    return [{**row, id_field: row.get(id_field, key)} for key, row in zip(ids, rows, strict=True)]


def other_ids(ids: Sequence[str], rows: Sequence[Row], id_field: str) -> list[Refused]:
    """Refuse documents that have something other than their id in the field that is to keep it."""
    return [
        Refused(i, f"its field {id_field!r} is not its id, which is to be kept there: name another field as id_field")
        for i, (key, row) in enumerate(zip(ids, rows, strict=True))
        if id_field in row and str(row[id_field]) != key
    ]


def tell_no_ids(index: str, id_field: str) -> None:
    """Log what it means that an index takes no ids."""
    log.warning(
        "index %s takes no ids, so each document keeps its own in the field %r: delivery is at-least-once, and a "
        "document may be there twice after a lost response or a crash",
        index,
        id_field,
    )
