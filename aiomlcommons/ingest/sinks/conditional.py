"""Writes to an index that replace nothing newer: each document says under which condition it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import anyio.to_thread
import attrs
import orjson

from aiomlcommons.ingest.sinks._index_actions import Actions, Superseded
from aiomlcommons.ingest.sinks._index_delivery import Delivery
from aiomlcommons.ingest.sinks._json_rows import Encoded, encoded, encoded_alone
from aiomlcommons.ingest.sinks.index import AT_ONCE, IndexSink
from aiomlcommons.ingest.types import Documents, Refused, Row
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# The value of ``pipeline`` by which documents go through none, not even the default one of the index.
NO_PIPELINE = "_none"
# Of writes without vectors, as of an IndexSink.
BULK_BYTES, CONCURRENCY, BACKOFF = 5_000_000, 4, Backoff(first=0.5, cap=30)
Fields = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Write:
    """What is done with a document, and on which condition.

    Attributes:
        op: ``index`` replaces it as a whole, ``create`` makes one that is not there, ``update`` sets fields of one that
            is there, ``delete`` removes it.
        id: Its id.
        routing: Its routing, if it has one.
        version: Only over an older version than this one, which it has from then on, or over the same.
        seq_no: Only over the document with this sequence number, and with ``primary_term``.
        primary_term: See ``seq_no``.
    """

    op: Literal["index", "create", "update", "delete"]
    id: str
    routing: str | None = None
    version: int | None = None
    seq_no: int | None = None
    primary_term: int | None = None

    def head(self) -> bytes:
        """Return the first line of the action."""
        about: dict[str, Any] = {"_id": self.id}
        if self.routing is not None:
            about["routing"] = self.routing
        if self.version is not None:
            about |= {"version": self.version, "version_type": "external_gte"}
        if self.seq_no is not None:
            about |= {"if_seq_no": self.seq_no, "if_primary_term": self.primary_term}
        return orjson.dumps({self.op: about}, option=orjson.OPT_APPEND_NEWLINE)


class Conditional(dict[str, Any]):
    """A document with what is done with it, ``write``. For an update these are the fields that its text is of."""

    def __init__(self, fields: Fields, write: Write) -> None:
        super().__init__(fields)
        self.write = write


class ConditionalWrites:
    """Writes of documents without vectors, and deletes.

    ``superseded`` has the ids of those whose condition did not hold, with the words of the server.
    """

    def __init__(self, ml: Client, index: str, *, pipeline: str | None, stall_timeout: float) -> None:
        query = {} if pipeline is None else {"pipeline": pipeline}
        self.superseded: dict[str, str] = {}
        self._delivery = Delivery(ml, index, "", BULK_BYTES, BACKOFF, CONCURRENCY, query, conditional=True)
        self._delivery.begin("/" + quoted(index), stall_timeout)

    async def put(self, rows: Sequence[Conditional]) -> Sequence[Refused]:
        """Write documents; return those that are refused for good. Raises SinkError, ApiError."""
        made, refused = _alone(rows)
        await self._delivery.deliver(made)
        return _for_good(refused, rows, self.superseded)

    def close(self) -> None:
        """End the log lines of the writes."""
        self._delivery.events.lines.close()


class ConditionalSink(IndexSink):
    """An index as the sink of a job whose rows are Conditional.

    ``besides`` returns fields that a document gets beside its vector, by its text. Documents that fail for good are
    written without both, unless they are updates: ``kept`` counts these. ``superseded`` has the ids of the others whose
    condition did not hold, with the words of the server.
    """

    def __init__(
        self,
        ml: Client,
        index: str,
        *,
        field: str,
        besides: Callable[[str], Fields] = lambda _: {},
        pipeline: str | None = NO_PIPELINE,
    ) -> None:
        super().__init__(ml, index, field=field, pipeline=pipeline)
        self._besides = besides
        self._delivery.conditional = True
        self.superseded: dict[str, str] = {}
        self.kept = 0

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Write a batch; return the documents that are refused for good. Raises SinkError, ApiError."""
        refused = await super().write(batch)
        return _for_good(refused, batch.rows, self.superseded)

    async def take_failed(self, rows: Sequence[Row], /) -> None:
        """Write documents that fail without their vectors."""
        failed = [row for row in rows if isinstance(row, Conditional) and row.write.op != "update"]
        made, refused = _alone(failed)
        await self._delivery.deliver(made)
        self.kept += len(failed) - len(refused)

    async def _encoded(self, batch: Documents) -> tuple[Actions, list[Refused]]:
        encoding = partial(self._made, batch)
        if isinstance(batch.vectors, list) or batch.vectors.size > AT_ONCE:
            return await anyio.to_thread.run_sync(encoding)
        return encoding()

    def _made(self, batch: Documents) -> tuple[Actions, list[Refused]]:
        writes = list(map(_write, batch.rows))
        rows = [
            {**(row if write.op != "update" else {}), **self._besides(text)}
            for row, write, text in zip(batch.rows, writes, batch.texts, strict=True)
        ]
        found = encoded(rows, batch.vectors, self.field, base64=self._in_base64, heads=[one.head() for one in writes])
        return _actions(found, writes)


def _for_good(refused: Sequence[Refused], rows: Sequence[Row], superseded: dict[str, str]) -> list[Refused]:
    """Return those that are refused for good; note the others, whose condition did not hold, as superseded."""
    superseded |= {_write(rows[one.index]).id: one.why for one in refused if isinstance(one, Superseded)}
    return [one for one in refused if not isinstance(one, Superseded)]


def _write(row: Row) -> Write:
    """Return what is done with a row. Raises TypeError for one that does not say it."""
    if not isinstance(row, Conditional):
        raise TypeError(f"a conditional sink takes Conditional rows, not {type(row).__name__}")
    return row.write


def _alone(rows: Sequence[Conditional]) -> tuple[Actions, list[Refused]]:
    """Encode documents without vectors, and deletes."""
    return _actions(encoded_alone(rows, [row.write.head() for row in rows]), [row.write for row in rows])


def _actions(found: Encoded, writes: Sequence[Write]) -> tuple[Actions, list[Refused]]:
    """Return encoded documents as actions: an update has its fields within ``doc``, a delete has none."""
    lines, sizes = found.body, found.sizes
    if any(writes[i].op in ("update", "delete") for i in found.indices):
        starts = [*accumulate(sizes, initial=0)]
        made = [_line(lines[starts[n] : starts[n + 1]], writes[i]) for n, i in enumerate(found.indices)]
        lines, sizes = b"".join(made), [*map(len, made)]
    return Actions(lines, sizes, found.indices, [found.refused] * len(sizes)), found.refused


def _line(both: bytes, write: Write) -> bytes:
    if write.op not in ("update", "delete"):
        return both
    head, document, _ = both.split(b"\n")
    return head + b"\n" if write.op == "delete" else b'%b\n{"doc":%b}\n' % (head, document)
