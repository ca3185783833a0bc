"""Actions on an index: encoding documents as lines of ``_bulk``, and what no index can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import attrs
import orjson

from aiomlcommons.ingest.sinks._index_ids import other_ids, with_ids
from aiomlcommons.ingest.sinks._json_rows import Encoded, encoded, encoded_alone, not_json
from aiomlcommons.ingest.types import Documents, Refused, Row

LONGEST_ID = 512
# Fields of a document's own that the server refuses in it, beside ``_id``.
METADATA = {"_index", "_source", "_routing", "_version", "_seq_no", "_field_names", "_ignored", "_nested_path"}

# The first line of an action whose document gets its id from the server.
_NO_ID = b'{"index":{}}\n'


@attrs.frozen
class Superseded(Refused):
    """A document that was left as it is, because it is not, or no longer, as the condition of its action says."""


@attrs.frozen
class Actions:
    """Actions on documents: two lines each, or one to delete, one after the other in ``body``, the body of a request.

    By their positions in it, ``sizes`` are their bytes, ``indices`` those in their batches, and ``refused`` the lists
    that take their refusals.
    """

    body: bytes
    sizes: Sequence[int]
    indices: Sequence[int]
    refused: Sequence[list[Refused]]

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def joined(cls, several: Sequence[Actions]) -> Actions:
        """Return the actions of several batches as those of one request."""
        if len(several) == 1:
            return several[0]
        columns: Any = zip(*((one.sizes, one.indices, one.refused) for one in several), strict=True)
        return cls(b"".join(one.body for one in several), *([*chain.from_iterable(column)] for column in columns))

    def refuse(self, position: int, why: str) -> None:
        """Record that a document is refused for good."""
        self.refused[position].append(Refused(self.indices[position], why))

    def supersede(self, position: int, why: str) -> None:
        """Record that a document was left as it is, because the condition of its action does not hold."""
        self.refused[position].append(Superseded(self.indices[position], why))

    def chosen(self, positions: Sequence[int]) -> Actions:
        """Return those at some positions, which are in order."""
        if len(positions) == len(self):
            return self
        body, columns = b"".join(self._lines(positions)), (self.sizes, self.indices, self.refused)
        return Actions(body, *([column[i] for i in positions] for column in columns))  # type: ignore[arg-type]

    def ids(self) -> list[str | None]:
        """Return the ids of the documents; None where the server makes one."""
        return [_header(lines).get("_id") for lines in self._lines(range(len(self)))]

    def without_ids(self, id_field: str) -> Actions:
        """Return them with their ids in a field of the documents, for a server that makes the ids itself."""
        lines = [_without_id(line, id_field) for line in self._lines(range(len(self)))]
        return attrs.evolve(self, body=b"".join(lines), sizes=[*map(len, lines)])

    def _lines(self, positions: Sequence[int]) -> list[bytes]:
        """Return the two lines of each at some positions."""
        starts = [*accumulate(self.sizes, initial=0)]
        return [self.body[starts[i] : starts[i + 1]] for i in positions]


def _header(lines: bytes) -> dict[str, Any]:
    header: dict[str, dict[str, Any]] = orjson.loads(lines[: lines.index(b"\n")])
    return next(iter(header.values()))


def _without_id(lines: bytes, id_field: str) -> bytes:
    document = lines[lines.index(b"\n") + 1 :]
    kept = orjson.dumps({id_field: _header(lines).get("_id")})
    return _NO_ID + kept[:-1] + b"," + document[1:]


def unfit(ids: Sequence[str], rows: Sequence[Row], field: str) -> list[Refused]:
    """Return the documents that no index can hold."""
    rows = list(map(_row, rows))
    # The first reason of a document counts.
    found = [*not_json(rows, field), *_bad_names(rows, field), *_bad_ids(ids)]
    return list({one.index: one for one in found}.values())


def actions(
    batch: Documents, field: str, base64: bool, *, auto: bool = False, id_field: str | None = None
) -> tuple[Actions, list[Refused]]:
    """Encode a batch; return its actions, and the documents that are refused without asking the server.

    With ``auto`` the server makes the ids; with ``id_field`` too, and that field of each document holds its own.
    """

    def encode(rows: Sequence[Row], heads: Sequence[bytes]) -> Encoded:
        return encoded(rows, batch.vectors, field, base64=base64, heads=heads)

    return _made(batch.ids, batch.rows, encode, auto, id_field)


def actions_alone(
    ids: Sequence[str], rows: Sequence[Row], *, id_field: str | None = None
) -> tuple[Actions, list[Refused]]:
    """Encode documents without vectors, as ``actions`` does."""
    return _made(ids, rows, encoded_alone, False, id_field)


def _made(
    ids: Sequence[str],
    rows: Sequence[Row],
    encode: Callable[[Sequence[Row], Sequence[bytes]], Encoded],
    auto: bool,
    id_field: str | None,
) -> tuple[Actions, list[Refused]]:
    rows = list(map(_row, rows))
    if id_field is not None:
        bad_ids, rows = other_ids(ids, rows, id_field), with_ids(ids, rows, id_field)
    else:
        bad_ids = [] if auto else _bad_ids(ids)
    heads = [_NO_ID] * len(rows) if auto or id_field is not None else _heads(ids)
    found = encode(rows, heads)
    refused = found.refused
    made = Actions(found.body, found.sizes, found.indices, [refused] * len(found.sizes))
    if bad_ids:
        bad = {one.index: one for one in bad_ids}
        refused += [bad[i] for i in found.indices if i in bad]
        made = made.chosen([position for position, i in enumerate(found.indices) if i not in bad])
    return made, refused


def _heads(ids: Sequence[str]) -> list[bytes]:
    """Return the first line of each action."""
    if not ids:
        return []
    text = orjson.dumps(ids)
    # In a text without escapes, a quote is an end of an id.
    keys = text[2:-2].split(b'","') if b"\\" not in text else [orjson.dumps(key)[1:-1] for key in ids]
    return [b'{"index":{"_id":"%b"}}\n' % key for key in keys]


def _bad_ids(ids: Sequence[str]) -> list[Refused]:
    """Refuse ids for which the server refuses the whole request with 400."""
    if all(ids) and max(map(len, ids), default=0) <= LONGEST_ID // 4:  # bytes of UTF-8 in a character, at most
        return []
    lengths = [len(id.encode(errors="replace")) for id in ids]  # noqa: A001 - the API's own word
    return [
        Refused(i, f"its id has {length:,} bytes, and an index takes 1 to {LONGEST_ID}: shorten it, or hash it")
        for i, length in enumerate(lengths)
        if not 0 < length <= LONGEST_ID
    ]


def _bad_names(rows: Sequence[Row], field: str) -> list[Refused]:
    """Refuse documents with a field whose name the server refuses, whatever the mapping says."""
    names = set().union(*rows) - {field}
    bad = {name: why for name in names if isinstance(name, str) and (why := _bad_name(name))}
    if not bad:
        return []
    first = ((i, next((name for name in row if name in bad), None)) for i, row in enumerate(rows))
    return [Refused(i, f"its field {name!r} {bad[name]}: rename it") for i, name in first if name is not None]


def _bad_name(name: str) -> str:
    if name in METADATA:
        return "has the name of a metadata field of OpenSearch"
    # Dots divide a path, and those at its end count for nothing.
    if not name or "" in (name.rstrip(".") or ".").split("."):
        return "has an empty name, or one with an empty part, which an index refuses"
    return ""


def _row(row: Row) -> Row:
    """Drop ``_id``, which rows from an index have, and which the server refuses as a field."""
    return {key: value for key, value in row.items() if key != "_id"} if "_id" in row else row
