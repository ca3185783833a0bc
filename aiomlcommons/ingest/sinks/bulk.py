"""``_bulk``: documents as its lines, and what its answer says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.sinks.encoding import encoded
from aiomlcommons.ingest.types import Documents, Refused, Row

BUSY = {429, 503}
# Not the document's fault: no rights, no such index, or one that is closed to writing.
NO_WAY = {401, 403, 404}
LONGEST_ID = 512


@attrs.frozen
class Action:
    """A document as two lines of a request, and its place in the batch."""

    index: int
    lines: bytes


@attrs.define
class Outcome:
    """What became of a request's actions: those to be sent ``again`` after ``wait`` seconds, and those refused.

    ``halve`` says that the request was refused as a whole, ``hopeless`` that the index takes none; ``why``, why.
    """

    again: list[Action] = attrs.field(factory=list)
    refused: list[Refused] = attrs.field(factory=list)
    wait: float = 0.0
    halve: bool = False
    hopeless: bool = False
    why: str = ""


def actions(batch: Documents, field: str, base64: bool) -> tuple[list[Action], list[Refused]]:
    """The actions of a batch, and the documents that can be told to be impossible without asking the server."""
    lines, refused = encoded(attrs.evolve(batch, rows=list(map(_row, batch.rows, batch.ids))), field, base64=base64)
    made: list[Action] = []
    for i, line in lines.items():
        id = batch.ids[i]  # noqa: A001 - the API's own word
        # The server would answer 400 to the whole request.
        if not 0 < len(id.encode(errors="replace")) <= LONGEST_ID:
            refused.append(Refused(i, f"its id must be of 1 to {LONGEST_ID} bytes"))
            continue
        made.append(Action(i, orjson.dumps({"index": {"_id": id}}, option=orjson.OPT_APPEND_NEWLINE) + line))
    return made, refused


def _row(row: Row, id: str) -> Row:
    """Without its id as ``_id``, which rows from an index have and no document may hold."""
    return {key: value for key, value in row.items() if key != "_id"} if row.get("_id") == id else row


def pieces(actions: Sequence[Action], most: int) -> Iterator[list[Action]]:
    """Requests of at most ``most`` bytes, or of one document that is larger."""
    piece: list[Action] = []
    size = 0
    for action in actions:
        if piece and size + len(action.lines) > most:
            yield piece
            piece, size = [], 0
        piece.append(action)
        size += len(action.lines)
    if piece:
        yield piece


def outcome(got: HttpResponse, sent: Sequence[Action]) -> Outcome:
    """What an answer says of each action. Raises DecodeError where it is not the answer to them."""
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
        if status in BUSY or "rejected_execution" in why:
            found.again.append(action)
            found.why = found.why or why
        elif status in NO_WAY:
            found.hopeless, found.why = True, why
        else:
            found.refused.append(Refused(action.index, why))
    return found


def _reason(error: Any) -> str:
    """The server's words, with those of the cause, which say what is wrong with the document."""
    if not isinstance(error, Mapping):
        return str(error or "")
    said = ": ".join(str(error[key]) for key in ("type", "reason") if error.get(key))
    cause = _reason(error.get("caused_by"))
    return f"{said}; {cause}" if cause else said
