"""A near-real-time index: reads by id see the latest write, searches see the state of the last refresh."""

from __future__ import annotations

import base64
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Generic, TypeVar

import attrs

from aiomlcommons.api.common import Shards, WriteResult
from aiomlcommons.emulator.errors import version_conflict
from aiomlcommons.typed import typed_fields

T = TypeVar("T")


def alter(value: T, **fields: Any) -> T:
    """Return a copy of a record with other fields. mypy does not know that a record is an attrs class."""
    return attrs.evolve(value, **fields)  # type: ignore[misc]


def token(size: int) -> str:
    """Return a random id in the format of node, cluster and index ids."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes[:size]).rstrip(b"=").decode()


@attrs.frozen(field_transformer=typed_fields)
class Refresh:
    """How long a delayed change stays invisible: a number of reads of its index, or seconds of the cluster's clock.

    ``Refresh(looks=0)`` disables the delay. A read is a search of the index, or a model that is got by its id.
    """

    looks: int = 2
    seconds: float | None = None


AT_ONCE = Refresh(looks=0)


@attrs.define
class Wait:
    """A delay that is over after some reads, or at some time."""

    looks: int
    until: float | None

    def is_over(self, clock: Callable[[], float]) -> bool:
        """Return whether the delay is over at this read, which is counted."""
        if self.until is not None:
            return clock() >= self.until
        self.looks -= 1
        return self.looks < 0


@attrs.define
class Document(Generic[T]):
    """A document of an index, with its version and sequence number.

    ``kept`` is what of it is shown: as a rule all of it; None where the mapping keeps nothing. ``routing`` is the value
    that it was written with, ``size`` its bytes once somebody has asked for them.
    """

    id: str
    source: T
    version: int
    seq_no: int
    kept: T | None = None
    routing: str | None = None
    size: int | None = None


@attrs.define
class Late(Generic[T]):
    """A write that happens a moment after the response."""

    wait: Wait
    write: Callable[[], None]


@attrs.define
class Index(Generic[T]):
    """The documents of one type, in the order of their creation; ``documents`` are the latest versions.

    Writes force a refresh unless they say otherwise, as those of ML Commons do.
    """

    name: str
    documents: dict[str, Document[T]] = attrs.field(factory=dict)
    # By shard, the sequence number of the next operation: a write, or a delete.
    next_seq_no: Counter[int] = attrs.field(factory=Counter)
    existed: bool = False
    uuid: str = attrs.field(factory=lambda: token(16))
    refresh: Refresh = AT_ONCE
    clock: Callable[[], float] = time
    deletes_lag: bool = False
    is_old: bool = False
    _searched: Mapping[str, Document[T]] | None = None
    _refreshes: Wait | None = None
    _late: dict[str, Late[T]] = attrs.field(factory=dict)
    # The versions of deleted documents, from which those of new ones go on.
    _deleted: dict[str, int] = attrs.field(factory=dict)

    # ---- reads -----------------------------------------------------------------------------------------------------

    def get(self, key: str) -> T | None:
        """Return the source of a document, or None."""
        document = self.documents.get(key)
        return document.source if document else None

    def look(self) -> None:
        """Count a read by a client; delayed changes whose time has come become visible."""
        if self._refreshes is not None and self._refreshes.is_over(self.clock):
            self._refresh()
        for key in [key for key, late in self._late.items() if late.wait.is_over(self.clock)]:
            self.settle(key)

    def seen(self) -> Mapping[str, Document[T]]:
        """Return the documents that a search by a client finds; it counts as a read."""
        self.look()
        return self.visible()

    def visible(self) -> Mapping[str, Document[T]]:
        """Return the documents of the last refresh."""
        return self.documents if self._searched is None else self._searched

    # ---- writes ----------------------------------------------------------------------------------------------------

    def put(
        self,
        key: str,
        source: T,
        *,
        if_seq_no: int | None = None,
        version: int | None = None,
        routing: str | None = None,
        refreshed: bool = True,
    ) -> None:
        """Add or replace a document; raise Conflict where its sequence number is not ``if_seq_no`` any more.

        Without a ``version`` it has the next one, which goes on from that of a deleted document.
        """
        self.check(key, if_seq_no)
        self.existed = True
        if not refreshed:
            self._lag()
        number = (self.version_of(key) or 0) + 1 if version is None else version
        self._deleted.pop(key, None)
        self.documents[key] = Document(key, source, number, self._operation(key, routing), source, routing)
        if refreshed:
            self._refresh()

    def check(self, key: str, if_seq_no: int | None) -> Document[T] | None:
        """Return a document or None; raise Conflict where its sequence number is not ``if_seq_no`` any more."""
        old = self.documents.get(key)
        if if_seq_no is not None and (old is None or old.seq_no != if_seq_no):
            raise version_conflict(self.name, self.uuid, key, if_seq_no, old.seq_no if old else None)
        return old

    def version_of(self, key: str) -> int | None:
        """Return the version of a document, or of one that was deleted; None if there was none."""
        document = self.documents.get(key)
        return document.version if document else self._deleted.get(key)

    @property
    def shard_count(self) -> int:
        """How many shards it has."""
        return 1

    def shard_of(self, key: str, routing: str | None) -> int:  # noqa: ARG002 - an index of users has several
        """Return the shard of a document."""
        return 0

    def _operation(self, key: str, routing: str | None) -> int:
        """Return the sequence number of an operation on a document."""
        shard = self.shard_of(key, routing)
        self.next_seq_no[shard] += 1
        return self.next_seq_no[shard] - 1

    def change(self, key: str, **fields: Any) -> None:
        """Change fields of an existing document, after its pending write."""
        self.settle(key)
        self.overtake(key, **fields)

    def overtake(self, key: str, **fields: Any) -> None:
        """Change fields of an existing document before its pending write."""
        self.put(key, alter(self.documents[key].source, **fields))

    def delete(
        self, key: str, *, version: int | None = None, routing: str | None = None, refreshed: bool = True
    ) -> WriteResult:
        """Delete a document; a missing one is ``not_found``. Searches find it until the next refresh."""
        self._late.pop(key, None)
        refreshed = refreshed and not self.deletes_lag
        if not refreshed:
            self._lag()
        number = (self.version_of(key) or 0) + 1 if version is None else version
        document = self.documents.pop(key, None)
        if refreshed:
            self._refresh()
        self._deleted[key] = number
        routed = document.routing if document else routing
        result = "deleted" if document else "not_found"
        return self._written(key, result, number, self._operation(key, routed), refreshed=refreshed)

    def updated(self, key: str) -> WriteResult:
        """Return the response to an update."""
        return self._written(key, "updated", self.documents[key].version, self._operation(key, None))

    def _written(self, key: str, result: str, version: int, seq_no: int, *, refreshed: bool = True) -> WriteResult:
        return WriteResult(
            index=self.name,
            id=key,
            version=version,
            result=result,
            forced_refresh=refreshed or None,
            shards=Shards(total=2 if self.is_old else 1, successful=1, failed=0),
            seq_no=seq_no,
            primary_term=1,
        )

    # ---- delayed writes --------------------------------------------------------------------------------------------

    def put_later(self, key: str, source: T) -> None:
        """Add a document a moment after the response."""
        self._later(key, lambda: self.put(key, source))

    def change_later(self, key: str, **fields: Any) -> None:
        """Change a document a moment after the response, unless it is deleted by then."""
        self.settle(key)
        self._later(key, lambda: self.change(key, **fields) if key in self.documents else None)

    def settle(self, key: str) -> None:
        """Apply the pending write of a document now, so that writes keep their order."""
        if late := self._late.pop(key, None):
            late.write()

    def settle_all(self) -> None:
        """Apply all pending writes now, and refresh."""
        for key in list(self._late):
            self.settle(key)
        self._refresh()

    def _later(self, key: str, write: Callable[[], None]) -> None:
        self._late[key] = Late(self._wait(), write)
        if self.refresh == AT_ONCE:
            self.settle(key)

    def _wait(self) -> Wait:
        seconds = self.refresh.seconds
        return Wait(self.refresh.looks, None if seconds is None else self.clock() + seconds)

    def _lag(self) -> None:
        if self.refresh == AT_ONCE:
            return
        if self._searched is None:
            self._searched = dict(self.documents)
        self._refreshes = self._refreshes or self._wait()

    def _refresh(self) -> None:
        self._searched = self._refreshes = None
