"""The conditions of a write: the sequence number that its document must have, or a version of the caller's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.emulator.errors import illegal, refused, version_conflict
from aiomlcommons.emulator.index import Document
from aiomlcommons.emulator.indices.errors import conflict
from aiomlcommons.emulator.indices.state import Source, UserIndex

INTERNAL = "internal"
# What must not be said of the version that there is, by the type of the new one.
EXTERNAL: Mapping[str, str] = {"external": "higher or equal to", "external_gte": "higher than"}
PRIMARY_TERM = 1
UNSET = -3
USE_SEQ_NO = "Please use `if_seq_no` and `if_primary_term` instead"
NO_INTERNAL = f"internal versioning can not be used for optimistic concurrency control. {USE_SEQ_NO}"
NOT_IN_UPDATE = f"Update requests do not support versioning. {USE_SEQ_NO}"
NOT_BOTH = "compare and write operations can not use versioning"
ONLY_NEW = "create operations do not support compare and set. use index instead"
ONLY_INTERNAL = "create operations only support internal versioning. use index instead"
NEEDS_ID = "an id must be provided if version type or value are set"


@attrs.frozen
class Conditions:
    """What must be true of a document for a write to be done; ``version`` of an external type becomes its own."""

    if_seq_no: int | None = None
    if_primary_term: int | None = None
    version: int | None = None
    version_type: str = INTERNAL

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Conditions:
        """Return the conditions of a query string, or of a line of ``_bulk``. Raises Refused for no number."""
        kind = str(given.get("version_type", INTERNAL))
        if kind != INTERNAL and kind not in EXTERNAL:
            raise illegal(f"No version type match [{kind}]")
        numbers = {name: _number(given[name]) for name in ("if_seq_no", "if_primary_term", "version") if name in given}
        return cls(version_type=kind, **numbers)

    def problems(self, action: str, *, has_id: bool) -> list[str]:
        """Return what is wrong with conditions of an action. Raises Refused for a negative sequence number."""
        number, term = self.if_seq_no, self.if_primary_term or 0
        if number is not None and number < 0:
            raise illegal(f"sequence numbers must be non negative. got [{number}].")
        if action == "create" and self.version_type != INTERNAL:
            return [ONLY_INTERNAL]
        if action == "create" and number is not None:
            return [ONLY_NEW]
        if self.version_type != INTERNAL and not has_id:
            return [NEEDS_ID]
        return self._of_version() or self._of_seq_no(number, term)

    def _of_version(self) -> list[str]:
        if self.version_type == INTERNAL:
            return [] if self.version is None else [NO_INTERNAL]
        version = UNSET if self.version is None else self.version
        if version < 0:
            return [f"illegal version value [{version}] for version type [{self.version_type.upper()}]"]
        return [] if self.if_seq_no is None else [NOT_BOTH]

    def _of_seq_no(self, number: int | None, term: int) -> list[str]:
        if number is not None and not term:
            return [f"ifSeqNo is set, but primary term is [{term}]"]
        return [f"ifSeqNo is unassigned, but primary term is [{term}]"] if number is None and term else []

    def check(self, index: UserIndex, key: str) -> Document[Source] | None:
        """Return the document of a write, or None. Raises Conflict where the conditions are not met."""
        old = index.check(key, self.if_seq_no)
        if old is not None and self.if_primary_term not in {None, PRIMARY_TERM}:
            term, wanted = self.if_primary_term or 0, self.if_seq_no or 0
            raise version_conflict(index.name, index.uuid, key, wanted, old.seq_no, term)
        if self.version_type != INTERNAL and self.version is not None:
            self._check_version(index, key, self.version)
        return old

    def _check_version(self, index: UserIndex, key: str, version: int) -> None:
        """Raise Conflict for a version that is no newer than that of the document, or of the one that was deleted."""
        current = index.version_of(key)
        least = version + (self.version_type == "external_gte")
        if current is not None and current >= least:
            words = f"current version [{current}] is {EXTERNAL[self.version_type]} the one provided [{version}]"
            raise conflict(index.name, index.uuid, key, words)


def _number(given: Any) -> int:
    try:
        return int(given)
    except ValueError:
        raise illegal(f'For input string: "{given}"') from None


UNCONDITIONAL = Conditions()


def of_query(given: Mapping[str, str]) -> Conditions:
    """Return the conditions of a query string. Raises Refused, which names the parameter that is no number."""
    for name in ("version", "if_seq_no", "if_primary_term"):
        try:
            int(given.get(name, "0"))
        except ValueError:
            why = {"type": "number_format_exception", "reason": f'For input string: "{given[name]}"'}
            words = f"Failed to parse long parameter [{name}] with value [{given[name]}]"
            raise refused(400, "illegal_argument_exception", words, why) from None
    return Conditions.read(given)
