"""Options of a bulk job, validated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import TextFrom, is_template, text_by
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit
from aiomlcommons.ingest.pacing.rate_limit import RateLimit, about_tokens
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.sources.chunking import ChunkedSource
from aiomlcommons.ingest.sources.chunks import Chunks, Split
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.inference.methods import Side
    from aiomlcommons.ingest.types import Row, Source

# Batches that are filled together for length bucketing, if the order of documents is free.
ALIKE = 16


@attrs.frozen(kw_only=True)
class JobOptions:
    """The options of a job; ``Session.ingest`` documents each. ``clock`` returns seconds. Raises InvalidRequest."""

    text: str | Callable[[Row], str] = "text"
    text_default: str | None = None
    id: str | Callable[[Row], Any] | None = "id"
    chunk: Chunks | Split | None = None
    checkpoint: str | PathLike[str] | None = None
    dead_letters: str | PathLike[str] | None = None
    max_failures: float | None = None
    overwrite: bool = False
    ids: Literal["auto"] | None = None
    batch: int = 64
    batch_bytes: int = 1_000_000
    concurrency: int | tuple[int, int] = (1, 64)
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    count_tokens: Callable[[str], int] = about_tokens
    content_type: Side | None = None
    ordered: bool = True
    max_chars: int | None = None
    linger: float | None = None
    backoff: Backoff = Backoff(jitter=1)
    retry_budget: float = 100.0
    stall_timeout: float = 600.0
    redeploy: bool = True
    cache: str | PathLike[str] | None = None
    skip_unchanged: bool = False
    checkpoint_every: int = 64
    clock: Callable[[], float] = time.monotonic

    def __attrs_post_init__(self) -> None:
        for name in ("batch", "batch_bytes", "checkpoint_every", "max_chars"):
            _check_count(name, getattr(self, name), none=name == "max_chars")
        for name in ("requests_per_minute", "tokens_per_minute"):
            _check_number(name, getattr(self, name), none=True, zero=False)
        for name in ("checkpoint", "dead_letters", "cache"):
            _check_path(name, getattr(self, name))
        for name in ("overwrite", "ordered", "redeploy", "skip_unchanged"):
            _check_flag(name, getattr(self, name))
        _check_number("linger", self.linger, none=True)
        _check_number("stall_timeout", self.stall_timeout, zero=False)
        _check_number("retry_budget", self.retry_budget)
        _check_concurrency(self.concurrency)
        _check_failures(self.max_failures)
        if not isinstance(self.backoff, Backoff):
            raise InvalidRequest(f"backoff must be a Backoff, such as Backoff(first=0.5), not {self.backoff!r}")
        if not callable(self.count_tokens):
            raise InvalidRequest(f"count_tokens must be a function of a text, not {self.count_tokens!r}")
        if not isinstance(self.text_default, str | None):
            raise InvalidRequest(f"text_default must be a string, not {self.text_default!r}")
        if self.content_type not in (None, "query", "passage"):
            raise InvalidRequest(f"content_type must be 'query' or 'passage', not {self.content_type!r}")
        if self.ids not in (None, "auto"):
            raise InvalidRequest(f"ids must be 'auto' or None, not {self.ids!r}")
        self.checker()
        Chunks.of(self.chunk)
        if self.skip_unchanged and self.cache is None:
            raise InvalidRequest("skip_unchanged needs cache=, the file that records what was written before")

    @property
    def text_of(self) -> Callable[[Any], Any]:
        """The function that extracts a row's text. Raises InvalidRequest for a wrong ``text`` or ``text_default``."""
        return text_by(self.text, self.text_default)

    def chunked(self, source: Source) -> Source:
        """Return the source of documents with a chunk of text each, or the source itself without ``chunk``."""
        if (chunks := Chunks.of(self.chunk)) is None:
            return source
        # Only chunks need be short, not the texts that they are cut from.
        check = attrs.evolve(self.checker(), max_chars=None)
        text = self.text.spec if isinstance(self.text, TextFrom) else self.text
        field = text if isinstance(text, str) and not is_template(text) else "text"
        return ChunkedSource(source, chunks, check, field, self.id if isinstance(self.id, str) else None)

    def checker(self) -> RowChecker:
        """Return what extracts and validates ids and texts. Raises InvalidRequest for a wrong ``text`` or ``id``."""
        return RowChecker.of(self.text_of, self.id, self.max_chars, numbers=self.ids == "auto")

    @property
    def alike(self) -> int:
        """How many batches are filled together for length bucketing."""
        return 1 if self.ordered else ALIKE

    def limiter(self, max_useful_requests: int | None = None, start: int = 2) -> ConcurrencyLimit:
        """Return the concurrency limiter, which begins at ``start`` or its nearest bound.

        ``max_useful_requests`` lowers the upper bound, but not a fixed number.
        """
        if not isinstance(self.concurrency, tuple | list):
            return ConcurrencyLimit.fixed(self.concurrency)
        least, most = self.concurrency
        if max_useful_requests is not None:
            most = max(least, min(most, max_useful_requests))
        return ConcurrencyLimit(least=least, most=most, start=min(most, max(least, start)), clock=self.clock)

    def rate(self) -> RateLimit | None:
        """Return the rate limiter, or None if neither requests nor tokens are limited."""
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            return None
        requests, tokens = (
            math.inf if most is None else most for most in (self.requests_per_minute, self.tokens_per_minute)
        )
        return RateLimit(requests, tokens, self.count_tokens)


def _check_count(name: str, value: Any, *, none: bool = False) -> None:
    if none and value is None:
        return
    if not isinstance(value, Integral) or value is True or value is False:
        raise InvalidRequest(f"{name} must be a whole number, not {value!r}")
    if int(value) < 1:
        raise InvalidRequest(f"{name} must be 1 or more, not {value}")


def _check_number(name: str, value: Any, *, none: bool = False, zero: bool = True) -> None:
    if none and value is None:
        return
    if not isinstance(value, Real) or value is True or value is False:
        raise InvalidRequest(f"{name} must be a number, not {value!r}")
    if not (float(value) > 0 or (zero and value == 0)):
        raise InvalidRequest(f"{name} must be {'0 or more' if zero else 'more than 0'}, not {value}")


def _check_path(name: str, value: Any) -> None:
    if not isinstance(value, str | PathLike | None):
        raise InvalidRequest(f"{name} must be the path of a file, not {value!r}")


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):  # a word such as "no" would count as True, and replace files
        raise InvalidRequest(f"{name} must be True or False, not {value!r}")


def _check_failures(value: Any) -> None:
    _check_number("max_failures", value, none=True)
    if value is None or isinstance(value, Integral) or 0 < value < 1 or value == math.inf:
        return
    raise InvalidRequest(f"max_failures must be a whole number, a share between 0 and 1, or infinity, not {value}")


def _check_concurrency(value: Any) -> None:
    if not isinstance(value, tuple | list):
        _check_count("concurrency", value)
        return
    if len(value) != 2:
        raise InvalidRequest(f"concurrency must be a number or two bounds, such as (1, 64), not {value!r}")
    for bound in value:
        _check_count("a bound of concurrency", bound)
    if value[0] > value[1]:
        raise InvalidRequest(f"concurrency must have its lower bound first, not {value!r}")
