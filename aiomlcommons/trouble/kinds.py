"""The kinds of errors, the parties that cause them, and a row of the trouble table."""

from __future__ import annotations

import functools
import re
from enum import StrEnum

import attrs

from aiomlcommons.trouble.parsed_error import ParsedError


class Kind(StrEnum):
    """The kind of an error, by what helps against it."""

    PASSES = "passes"
    """Transient: retry with backoff. A node starts, shards recover, memory is short."""
    THROTTLED = "throttled"
    """Retry later, with less concurrency."""
    RACE = "race"
    """A version conflict or duplicate (optimistic concurrency): another client wrote at the same time. Read again."""
    NOT_READY = "not ready"
    """Deploy the model: no node has loaded it, or not yet."""
    QUOTA = "quota"
    """Raise a limit or pay: the provider's quota is spent, and waiting a little does not help."""
    CREDENTIAL = "credential"
    """Update the connector's credential, or its rights: the provider refuses it. Of the caller: your own, of AWS."""
    MISSING = "missing"
    """Correct the connector: the provider has no such model, deployment or route."""
    TOO_LONG = "too long"
    """Send less: a text, or all texts of a request together, are longer than the provider takes."""
    DOCUMENT = "document"
    """Leave the text out: the provider refuses its content."""
    UNCLEAR = "unclear"
    """A retry may help: it is unknown whether the request is at fault."""
    FINAL = "final"
    """Permanent: the same request will always fail."""


class Party(StrEnum):
    """The party that caused the error."""

    CLUSTER = "cluster"
    PROVIDER = "provider"
    """The provider of a remote model, or the network to it."""
    CALLER = "caller"


@attrs.frozen
class Trouble:
    """One row of the table.

    ``sign`` is an exception type (in snake case) or a message of the server, in which ``...`` matches any text.
    ``source`` is the evidence: a recording (a file of tests/wire and its case), or a public source.
    """

    sign: str
    kind: Kind
    party: Party
    source: str

    @property
    def passes(self) -> bool:
        """Whether a retry of the same request is likely to succeed later."""
        return self.kind in {Kind.PASSES, Kind.THROTTLED}

    @property
    def is_texts_fault(self) -> bool:
        """Whether the texts of the request are certainly to blame."""
        return self.kind in {Kind.TOO_LONG, Kind.DOCUMENT}

    def matches(self, error: ParsedError) -> bool:
        """Return whether a parsed error has the sign of this row."""
        if self.sign.endswith("_exception"):
            return self.sign in error.types
        return pattern(self.sign).search(error.words) is not None


@functools.cache
def pattern(words: str) -> re.Pattern[str]:
    """Compile words in which ``...`` matches any text."""
    return re.compile(".*".join(map(re.escape, words.split("..."))))
