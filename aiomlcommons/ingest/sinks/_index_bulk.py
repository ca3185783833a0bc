"""``_bulk``: documents as its lines, and what its answer says of each."""

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
from aiomlcommons.ingest.sinks._json_rows import encoded
from aiomlcommons.ingest.types import Documents, Refused, Row
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import Kind, trouble_of

# Not the document's fault: no rights, no such index, one that is closed to writing, or no room that ever will be.
NO_WAY = {401, 403, 404, 429, 503}
# The same document may well be taken later.
AGAIN = {Kind.PASSES, Kind.THROTTLED, Kind.RACE, Kind.NOT_READY}
LONGEST_ID = 512


@attrs.frozen
class Action:
    """A document as two lines of a request, its place in the batch, and the list that takes its refusal."""

    index: int
    lines: bytes
    refused: list[Refused]

    def refuse(self, why: str) -> None:
        """The document is not taken, and never will be."""
        self.refused.append(Refused(self.index, why))


@attrs.define(eq=False)
class Load:
    """Actions of one batch that travel in one request, perhaps with other loads; how that ended when they arrived."""

    actions: list[Action]
    size: int
    arrived: anyio.Event = attrs.field(factory=anyio.Event)
    error: Exception | None = None
    awaited: bool = True
    trip: Trip | None = None

    async def wait(self) -> None:
        """Wait until it has arrived. Raises what kept it from that; who is cancelled leaves the trip."""
        try:
            await self.arrived.wait()
        finally:
            self.awaited = False
            if self.trip is not None:
                self.trip.left()
        if self.error is not None:
            raise self.error


@attrs.define(eq=False)
class Trip:
    """Loads that travel together. Cancelling one does not end it in its ``scope``, cancelling all of them does."""

    loads: Sequence[Load]
    scope: anyio.CancelScope = attrs.field(factory=lambda: anyio.CancelScope(shield=True))

    def __attrs_post_init__(self) -> None:
        for load in self.loads:
            load.trip = self

    def left(self) -> None:
        """Somebody waits no longer."""
        if not any(load.awaited for load in self.loads):
            self.scope.cancel()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """The trip itself. What it ends with is told to those who wait for its loads."""
        error: Exception | None = None
        try:
            with self.scope:
                yield
        except Exception as caught:
            error = caught
        for load in self.loads:
            load.error, load.trip = error, None  # no circle keeps their documents in memory
            load.arrived.set()


@attrs.define
class Outcome:
    """What became of a request's actions: those to be sent ``again`` after ``wait`` seconds; the others are done.

    ``halve`` says that the request was refused as a whole, ``hopeless`` that the index takes none; ``why``, why.
    """

    again: list[Action] = attrs.field(factory=list)
    wait: float = 0.0
    halve: bool = False
    hopeless: bool = False
    why: str = ""


def actions(batch: Documents, field: str, base64: bool) -> tuple[list[Action], list[Refused]]:
    """The actions of a batch, and the documents that can be told to be impossible without asking the server."""
    lines, refused = encoded(attrs.evolve(batch, rows=list(map(_row, batch.rows))), field, base64=base64)
    made: list[Action] = []
    for i, line in lines.items():
        id = batch.ids[i]  # noqa: A001 - the API's own word
        # The server would answer 400 to the whole request.
        if not 0 < len(id.encode(errors="replace")) <= LONGEST_ID:
            refused.append(Refused(i, f"its id must be of 1 to {LONGEST_ID} bytes"))
            continue
        what = orjson.dumps({"index": {"_id": id}}, option=orjson.OPT_APPEND_NEWLINE)
        made.append(Action(i, what + line, refused))
    return made, refused


def _row(row: Row) -> Row:
    """Without ``_id``, which rows from an index have and no document may hold."""
    return {key: value for key, value in row.items() if key != "_id"} if "_id" in row else row


def loads(actions: Sequence[Action], most: int) -> Iterator[Load]:
    """Loads of at most ``most`` bytes, or of one document that is larger."""
    piece: list[Action] = []
    size = 0
    for action in actions:
        if piece and size + len(action.lines) > most:
            yield Load(piece, size)
            piece, size = [], 0
        piece.append(action)
        size += len(action.lines)
    if piece:
        yield Load(piece, size)


def together(waiting: deque[Load], most: int) -> list[Load]:
    """Take from what waits the first load, and those after it that fit into ``most`` bytes with it."""
    taken = [waiting.popleft()]
    size = taken[0].size
    while waiting and size + waiting[0].size <= most:
        size += waiting[0].size
        taken.append(waiting.popleft())
    return taken


def outcome(got: HttpResponse, sent: Sequence[Action]) -> Outcome:
    """What an answer says of each action, telling the refused. Raises DecodeError where it answers something else."""
    try:
        body = got.json()
        if not body["errors"]:
            return Outcome()
        items = [item["index"] for item in body["items"]]
    except (ValueError, TypeError, KeyError) as error:
        raise DecodeError(f"no answer of _bulk: {error!r}", got) from None
    if len(items) != len(sent):
        raise DecodeError(f"{len(sent)} documents were sent and {len(items)} answered", got)
    return _sorted(items, sent)


def _sorted(items: Sequence[Mapping[str, Any]], sent: Sequence[Action]) -> Outcome:
    found = Outcome()
    for item, action in zip(items, sent, strict=True):
        error, status = item.get("error"), item.get("status", 500)
        if error is None and status < 300:
            continue
        why = _reason(error) or f"status {status}"
        if trouble_of(parse_error(status, error)).kind in AGAIN:
            found.again.append(action)
            found.why = found.why or why
        elif status in NO_WAY:
            found.hopeless, found.why = True, why
        else:
            action.refuse(why)
    return found


def _reason(error: Any) -> str:
    """The server's words, with those of the cause, which say what is wrong with the document."""
    if not isinstance(error, Mapping):
        return str(error or "")
    said = ": ".join(str(error[key]) for key in ("type", "reason") if error.get(key))
    cause = _reason(error.get("caused_by"))
    return f"{said}; {cause}" if cause else said
