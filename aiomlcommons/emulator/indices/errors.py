"""What the server says to requests about indices and documents that it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.errors import SHARD, Conflict, Refused, refused

LONGEST_TERM = 32_766
WRAPPED = "Failed to parse mapping [_doc]: "


class Unreadable(Exception):
    """A value that is none of its field's type, with the server's preview of it; without one the server shows none."""

    def __init__(self, why: Mapping[str, Any], preview: str | None) -> None:
        super().__init__(why)
        self.why, self.preview = why, preview


def invalid_name(name: str, why: str) -> Refused:
    """Return the error of a name that no index may have."""
    where: dict[str, Any] = {"index": name, "index_uuid": "_na_"}
    return refused(400, "invalid_index_name_exception", f"Invalid index name [{name}], {why}", **where)


def invalid_request(*problems: str) -> Refused:
    """Return the error of a request that lacks something, or has too much of it."""
    listed = "".join(f" {number}: {problem};" for number, problem in enumerate(problems, 1))
    return refused(400, "action_request_validation_exception", f"Validation Failed:{listed}")


def no_body() -> Refused:
    """Return the error of a request without a body."""
    return refused(400, "parse_exception", "request body is required")


def bad_mapping(reason: str, kind: str = "mapper_parsing_exception") -> Refused:
    """Return the error of a mapping that an index cannot be created with."""
    whole = f"{WRAPPED}{reason}"
    error = refused(400, "mapper_parsing_exception", whole, {"type": kind, "reason": reason})
    if kind == "mapper_parsing_exception":
        error.body["error"]["root_cause"] = [{"type": kind, "reason": reason}]
    return error


def bare(error: Refused) -> Refused:
    """Return the error of a mapping of an index that there is already: the server says no more than the cause."""
    said = error.body["error"]
    if not said["reason"].startswith(WRAPPED):
        return error
    return refused(400, said["caused_by"]["type"], said["caused_by"]["reason"])


def bad_document(reason: str, caused_by: Mapping[str, Any] | None = None) -> Refused:
    """Return the error of a document that does not suit the mapping."""
    return refused(400, "mapper_parsing_exception", reason, caused_by)


def conflict(index: str, uuid: str, key: str, why: str) -> Conflict:
    """Return the error of a write that another one came before."""
    where: dict[str, Any] = {"index": index, "shard": SHARD, "index_uuid": uuid}
    reason = f"[{key}]: version conflict, {why}"
    return Conflict(409, refused(409, "version_conflict_engine_exception", reason, **where).body)


def no_document(index: str, uuid: str, key: str) -> Refused:
    """Return the error of an update of what is not there."""
    where: dict[str, Any] = {"index": index, "shard": SHARD, "index_uuid": uuid}
    return refused(404, "document_missing_exception", f"[{key}]: document missing", **where)


def no_source(index: str, uuid: str, key: str) -> Refused:
    """Return the error of an update of a document of which nothing is kept."""
    where: dict[str, Any] = {"index": index, "shard": SHARD, "index_uuid": uuid}
    return refused(400, "document_source_missing_exception", f"[{key}]: document source missing", **where)


def immense_term(path: str, term: bytes) -> Refused:
    """Return the error of a keyword that is too long to be indexed."""
    original = f"bytes can be at most {LONGEST_TERM} in length; got {len(term)}"
    reason = (
        f'Document contains at least one immense term in field="{path}" (whose UTF8 encoding is longer than the max '
        f"length {LONGEST_TERM}), all of which were skipped.  Please correct the analyzer to not produce such terms.  "
        f"The prefix of the first immense term is: '{list(term[:30])}...', original message: {original}"
    )
    why = {"type": "max_bytes_length_exceeded_exception", "reason": original}
    return refused(400, "illegal_argument_exception", reason, why)


def too_deep(limit: int) -> Refused:
    """Return the error of a document with objects within objects beyond a limit."""
    reason = (
        f"The depth of the field has exceeded the allowed limit of [{limit}]. This limit can be set by changing the "
        "[index.mapping.depth.limit] index level setting."
    )
    why = {"type": "parse_exception", "reason": reason}
    error = bad_document("failed to parse", why)
    error.body["error"]["root_cause"] = [why]
    return error
