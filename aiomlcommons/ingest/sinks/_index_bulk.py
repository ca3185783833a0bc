"""Requests of ``_bulk``: batching documents by size, and reading the result of each one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import anyio
import attrs

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.sinks._index_actions import Actions
from aiomlcommons.ingest.sinks._index_ids import NO_IDS
from aiomlcommons.trouble.error_body import text_of
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import trouble_of

# The index takes no document: no rights, no such index, blocked for writes, or rejected for good.
UNUSABLE = {401, 403, 404, 429, 503}
# A document is another version than the action says, or is not there.
CONFLICT, MISSING = 409, 404
# Worth a retry: the same document may be accepted later.
RETRYABLE = {Kind.PASSES, Kind.THROTTLED, Kind.RACE, Kind.NOT_READY}
# How a response begins that has no errors, so that its items, of one for each document, need not be parsed.
_ACCEPTED = re.compile(rb'\{"took":\d+,(?:"ingest_took":\d+,)?"errors":false,"items":\[')


@attrs.define(eq=False)
class Portion:
    """The actions of one batch that go in one request, which may coalesce several portions; and how that ended."""

    actions: Actions
    done: anyio.Event = attrs.field(factory=anyio.Event)
    error: Exception | None = None
    awaited: bool = True
    request: BulkRequest | None = None

    @property
    def size(self) -> int:
        """The bytes of the actions."""
        return len(self.actions.body)

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
    """The result of a request: the positions of the actions to ``retry`` after ``wait`` seconds.

    The others are accepted or refused. ``halve`` means that the request was refused as a whole and is to be bisected,
    ``unusable`` that the index accepts no document; ``why`` is the reason. ``no_ids`` means that the server makes the
    ids itself, and ``unclear`` that nothing tells whether the server or one of the documents is at fault.
    """

    retry: list[int] = attrs.field(factory=list)
    wait: float = 0.0
    halve: bool = False
    unusable: bool = False
    no_ids: bool = False
    unclear: bool = False
    why: str = ""


def portions(actions: Actions, max_bytes: int) -> list[Portion]:
    """Split actions into portions of at most ``max_bytes``, or of one document that is larger."""
    if 0 < len(actions.body) <= max_bytes:
        return [Portion(actions)]
    found: list[Portion] = []
    start = size = 0
    for position, more in enumerate([*actions.sizes, max_bytes]):
        if position > start and size + more > max_bytes:
            found.append(Portion(actions.chosen(range(start, position))))
            start, size = position, 0
        size += more
    return found


def coalesce(waiting: deque[Portion], most: int, max_bytes: int) -> list[Portion]:
    """Take the first portion off the queue, and those after it that fit into the bytes with it, ``most`` in all."""
    taken = [waiting.popleft()]
    size = taken[0].size
    while waiting and len(taken) < most and size + waiting[0].size <= max_bytes:
        size += waiting[0].size
        taken.append(waiting.popleft())
    return taken


def outcome(response: HttpResponse, sent: Actions, *, patient: bool = False, conditional: bool = False) -> Outcome:
    """Read a response, and record the refused documents; ``patient``: not those with an unclear error yet.

    Where the actions are ``conditional``, a conflict is the answer to the condition, and is not tried again. Raises
    DecodeError if it is not a response to the actions.
    """
    failed = failures(response, sent)
    if conditional:
        superseded = {position for position, (status, error) in failed.items() if _is_superseded(status, error)}
        for position in superseded:
            sent.supersede(position, _reason(failed[position][1]))
        failed = {position: found for position, found in failed.items() if position not in superseded}
    return _classified(failed, sent, patient)


def _is_superseded(status: int, error: Any) -> bool:
    """Return whether the document is not as the condition says: another version of it, or none at all."""
    missing = isinstance(error, Mapping) and error.get("type") == "document_missing_exception"
    return status == CONFLICT or (status == MISSING and (missing or error is None))


def failures(response: HttpResponse, sent: Actions) -> dict[int, tuple[int, Any]]:
    """Return status and error of those of the documents that were not accepted, by their position among the actions.

    Raises DecodeError if it is not a response to them.
    """
    if _ACCEPTED.match(response.body) and response.body.endswith(b"]}"):
        return {}
    try:
        body = response.json()
        if not body["errors"]:
            return {}
        items = [_only(item) for item in body["items"]]
        found = [_item(item) for item in items]
    except (ValueError, TypeError, KeyError) as error:
        raise DecodeError(f"not a response of _bulk: {error!r}", response) from None
    if len(found) != len(sent):
        raise DecodeError(f"{len(sent)} documents were sent, and the response has {len(found)}", response)
    try:
        positions = _positions(items, sent.ids())
    except LookupError as error:
        raise DecodeError(f"the response has a document {error} that was not sent, or has it twice", response) from None
    results = sorted(zip(positions, found, strict=True), key=itemgetter(0))
    return {position: result for position, result in results if result[1] is not None or result[0] >= 300}


def _positions(items: Sequence[Mapping[str, Any]], ids: Sequence[str | None]) -> Sequence[int]:
    """Return which document each item is of: those that fail in an ingest pipeline come in the order of their failures.

    An item with the id of the document in its place is of that one, also where several have this id; one without an id
    is of any that is left. Documents without ids are taken in the order in which they were sent. Raises LookupError for
    an id too many.
    """
    if None in ids:
        return range(len(ids))
    given = [item.get("_id") for item in items]
    if given == ids:
        return range(len(ids))
    waiting: dict[str | None, deque[int]] = {}
    for position, (key, here) in enumerate(zip(ids, given, strict=True)):
        if key != here:
            waiting.setdefault(key, deque()).append(position)
    found: list[int | None] = []
    for position, here in enumerate(given):
        if here is None or here == ids[position]:
            found.append(None if here is None else position)
        elif waiting.get(here):
            found.append(waiting[here].popleft())
        else:
            raise LookupError(repr(here))
    left = iter(sorted(position for positions in waiting.values() for position in positions))
    return [next(left) if position is None else position for position in found]


def _only(item: Any) -> Any:
    """Return the result of an item, whose only key is the kind of the action. Raises TypeError, ValueError."""
    if not isinstance(item, Mapping):
        raise TypeError(f"an item that is {item!r:.40}")
    (result,) = item.values()
    return result


def _item(item: Any) -> tuple[int, Any]:
    """Return status and error of a document. Raises TypeError if it is no result of one."""
    status = item.get("status", 500) if isinstance(item, Mapping) else None
    if type(status) is not int:
        raise TypeError(f"a document without a status, which is {status!r:.40}")
    return status, item.get("error")


def _classified(failed: Mapping[int, tuple[int, Any]], sent: Actions, patient: bool) -> Outcome:
    found = Outcome()
    for position, (status, error) in failed.items():
        why = _reason(error) or f"status {status}"
        if NO_IDS in why:
            found.retry.append(position)
            found.no_ids = True
        elif (kind := trouble_of(parse_error(status, error)).kind) in RETRYABLE or (patient and kind is Kind.UNCLEAR):
            found.retry.append(position)
            found.unclear |= kind is Kind.UNCLEAR
            found.why = found.why or why
        elif status in UNUSABLE:
            found.unusable, found.why = True, why
        else:
            sent.refuse(position, why)
    return found


def _reason(error: Any, causes: int = 10) -> str:
    """Return the server's type and reason, and those of the cause, which say what is wrong with the document."""
    if not isinstance(error, Mapping):
        return text_of(error)
    reason = ": ".join(text_of(error[key]) for key in ("type", "reason") if error.get(key))
    cause = _reason(error.get("caused_by"), causes - 1) if causes else ""
    return f"{reason}; {cause}" if cause else reason
