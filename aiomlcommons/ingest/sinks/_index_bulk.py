"""Requests of ``_bulk``: encoding documents, batching them by size, and reading the result of each one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import attrs
import orjson

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.sinks._index_ids import NO_IDS, other_ids, with_ids
from aiomlcommons.ingest.sinks._json_rows import encoded, not_json
from aiomlcommons.ingest.types import Documents, Refused, Row
from aiomlcommons.trouble.error_body import text_of
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import trouble_of

# The index takes no document: no rights, no such index, blocked for writes, or rejected for good.
UNUSABLE = {401, 403, 404, 429, 503}
# Worth a retry: the same document may be accepted later.
RETRYABLE = {Kind.PASSES, Kind.THROTTLED, Kind.RACE, Kind.NOT_READY}
LONGEST_ID = 512
# Fields of a document's own that the server refuses in it, beside ``_id``.
METADATA = {"_index", "_source", "_routing", "_version", "_seq_no", "_field_names", "_ignored", "_nested_path"}


@attrs.frozen
class Action:
    """An index action: a document as two lines of a request, its index in the batch, and the list for its refusal."""

    index: int
    lines: bytes
    refused: list[Refused]

    def refuse(self, why: str) -> None:
        """Record that the document is refused for good."""
        self.refused.append(Refused(self.index, why))

    def without_id(self, id_field: str) -> Action:
        """Return the action with its id in a field of the document, for a server that makes the ids itself."""
        header, _, document = self.lines.partition(b"\n")
        kept = orjson.dumps({id_field: orjson.loads(header)["index"].get("_id")})
        return attrs.evolve(self, lines=b'{"index":{}}\n' + kept[:-1] + b"," + document[1:])


@attrs.define(eq=False)
class Portion:
    """The actions of one batch that go in one request, which may coalesce several portions; and how that ended."""

    actions: list[Action]
    size: int
    done: anyio.Event = attrs.field(factory=anyio.Event)
    error: Exception | None = None
    awaited: bool = True
    request: BulkRequest | None = None

    async def wait(self) -> None:
        """Wait for the end of the request. Raises its error. Cancelling the wait withdraws from the request."""
        try:
            await self.done.wait()
        finally:
            self.awaited = False
            if self.request is not None:
                self.request.cancel_if_abandoned()
        if self.error is not None:
            raise self.error


@attrs.define(eq=False)
class BulkRequest:
    """A request of several portions, shielded from cancellation until all who wait for one of them are cancelled."""

    portions: Sequence[Portion]
    scope: anyio.CancelScope = attrs.field(factory=lambda: anyio.CancelScope(shield=True))

    def __attrs_post_init__(self) -> None:
        for portion in self.portions:
            portion.request = self

    def cancel_if_abandoned(self) -> None:
        """Cancel the request if nobody waits for any of its portions."""
        if not any(portion.awaited for portion in self.portions):
            self.scope.cancel()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Send the request within this context: an error in it is raised in the tasks that wait for its portions."""
        error: Exception | None = None
        try:
            with self.scope:
                yield
        except Exception as caught:
            error = caught
        for portion in self.portions:
            portion.error, portion.request = error, None  # a reference cycle would keep the documents in memory
            portion.done.set()


@attrs.define
class Outcome:
    """The result of a request: the actions to ``retry`` after ``wait`` seconds; the others are accepted or refused.

    ``halve`` means that the request was refused as a whole and is to be bisected, ``unusable`` that the index accepts
    no document; ``why`` is the reason. ``no_ids`` means that the server makes the ids itself.
    """

    retry: list[Action] = attrs.field(factory=list)
    wait: float = 0.0
    halve: bool = False
    unusable: bool = False
    no_ids: bool = False
    why: str = ""


def unfit(ids: Sequence[str], rows: Sequence[Row], field: str) -> list[Refused]:
    """Return the documents that no index can hold."""
    rows = list(map(_row, rows))
    # The first reason of a document counts.
    found = [*not_json(rows, field), *_bad_names(rows, field), *_bad_ids(ids)]
    return list({one.index: one for one in found}.values())


def actions(
    batch: Documents, field: str, base64: bool, *, auto: bool = False, id_field: str | None = None
) -> tuple[list[Action], list[Refused]]:
    """Encode a batch; return its actions, and the documents that are refused without asking the server.

    With ``auto`` the server makes the ids; with ``id_field`` too, and that field of each document holds its own.
    """
    auto = auto or id_field is not None
    bad_ids = other_ids(batch.ids, batch.rows, id_field) if id_field else [] if auto else _bad_ids(batch.ids)
    rows = list(map(_row, batch.rows))
    if id_field:
        rows = with_ids(batch.ids, rows, id_field)
    lines, refused = encoded(attrs.evolve(batch, rows=rows), field, base64=base64)
    for one in bad_ids:
        if lines.pop(one.index, None) is not None:
            refused.append(one)
    made: list[Action] = []
    for i, line in lines.items():
        operation = {"index": {} if auto else {"_id": batch.ids[i]}}
        header = orjson.dumps(operation, option=orjson.OPT_APPEND_NEWLINE)
        made.append(Action(i, header + line, refused))
    return made, refused


def _bad_ids(ids: Sequence[str]) -> list[Refused]:
    """Refuse ids for which the server refuses the whole request with 400."""
    lengths = [len(id.encode(errors="replace")) for id in ids]  # noqa: A001 - the API's own word
    return [
        Refused(i, f"its id has {length:,} bytes, and an index takes 1 to {LONGEST_ID}: shorten it, or hash it")
        for i, length in enumerate(lengths)
        if not 0 < length <= LONGEST_ID
    ]


def _bad_names(rows: Sequence[Row], field: str) -> list[Refused]:
    """Refuse documents with a field whose name the server refuses, whatever the mapping says."""
    why = {name: _bad_name(name) for row in rows for name in row if isinstance(name, str) and name != field}
    bad = {name: reason for name, reason in why.items() if reason}
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


def portions(actions: Sequence[Action], max_bytes: int) -> Iterator[Portion]:
    """Split actions into portions of at most ``max_bytes``, or of one document that is larger."""
    part: list[Action] = []
    size = 0
    for action in actions:
        if part and size + len(action.lines) > max_bytes:
            yield Portion(part, size)
            part, size = [], 0
        part.append(action)
        size += len(action.lines)
    if part:
        yield Portion(part, size)


def coalesce(waiting: deque[Portion], max_bytes: int) -> list[Portion]:
    """Take the first portion off the queue, and those after it that fit into ``max_bytes`` with it."""
    taken = [waiting.popleft()]
    size = taken[0].size
    while waiting and size + waiting[0].size <= max_bytes:
        size += waiting[0].size
        taken.append(waiting.popleft())
    return taken


def outcome(response: HttpResponse, sent: Sequence[Action]) -> Outcome:
    """Read a response, and record the refused documents. Raises DecodeError if it is not a response to the actions."""
    try:
        body = response.json()
        if not body["errors"]:
            return Outcome()
        items = [_item(item["index"]) for item in body["items"]]
    except (ValueError, TypeError, KeyError) as error:
        raise DecodeError(f"not a response of _bulk: {error!r}", response) from None
    if len(items) != len(sent):
        raise DecodeError(f"{len(sent)} documents were sent, and the response has {len(items)}", response)
    return _classified(items, sent)


def _item(item: Any) -> tuple[int, Any]:
    """Return status and error of a document. Raises TypeError if it is no result of one."""
    status = item.get("status", 500) if isinstance(item, Mapping) else None
    if type(status) is not int:
        raise TypeError(f"a document without a status, which is {status!r:.40}")
    return status, item.get("error")


def _classified(items: Sequence[tuple[int, Any]], sent: Sequence[Action]) -> Outcome:
    found = Outcome()
    for (status, error), action in zip(items, sent, strict=True):
        if error is None and status < 300:
            continue
        why = _reason(error) or f"status {status}"
        if NO_IDS in why:
            found.retry.append(action)
            found.no_ids = True
        elif trouble_of(parse_error(status, error)).kind in RETRYABLE:
            found.retry.append(action)
            found.why = found.why or why
        elif status in UNUSABLE:
            found.unusable, found.why = True, why
        else:
            action.refuse(why)
    return found


def _reason(error: Any, causes: int = 10) -> str:
    """Return the server's type and reason, and those of the cause, which say what is wrong with the document."""
    if not isinstance(error, Mapping):
        return text_of(error)
    reason = ": ".join(text_of(error[key]) for key in ("type", "reason") if error.get(key))
    cause = _reason(error.get("caused_by"), causes - 1) if causes else ""
    return f"{reason}; {cause}" if cause else reason
