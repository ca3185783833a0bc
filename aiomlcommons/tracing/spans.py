"""A span of OpenTelemetry: begun, made the current one, given attributes and events, and ended with its error."""

from __future__ import annotations

import re
import time
from asyncio import CancelledError
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from aiomlcommons.errors import ApiError
from aiomlcommons.tracing.telemetry import Telemetry, telemetry

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram

Value: TypeAlias = str | int | float | bool
Attributes: TypeAlias = Mapping[str, Value]
# A type as servers name them. What a proxy puts into its place may be anything.
_TYPE = re.compile(r"[a-z0-9_]{1,80}")


class Span:
    """A span: as a context it is the current one, and ends when it is left. Without ``found`` it does nothing.

    ``known`` are the attributes that it begins with. They are those of ``seconds`` too, which measures its duration.
    """

    def __init__(
        self,
        found: Telemetry | None,
        name: str,
        known: Attributes,
        *,
        is_client: bool = False,
        seconds: Histogram | None = None,
    ) -> None:
        self.is_recording = False
        self._found, self._known, self._seconds = found, known, seconds
        self._failure: BaseException | None = None
        self._token: Any = None
        self._began = time.perf_counter()
        if found is not None:
            self._span: Any = found.tracer.start_span(
                name, kind=found.client if is_client else found.internal, attributes=known
            )
            self.is_recording = self._span.is_recording()

    # ---- as long as it lasts ---------------------------------------------------------------------------------------

    def put(self, attributes: Mapping[str, Value | None]) -> None:
        """Set attributes; those that are None are left out."""
        if self.is_recording:
            self._span.set_attributes({name: plain(value) for name, value in attributes.items() if value is not None})

    def event(self, name: str, attributes: Attributes) -> None:
        """Add an event."""
        if self.is_recording:
            self._span.add_event(name, attributes)

    def failed(self, error: BaseException) -> None:
        """Note the error that the span ends with, where that is not what leaves its context."""
        if self._found is not None:
            self._failure = error

    @contextmanager
    def current(self) -> Generator[Self]:
        """Make it the current span, so that further ones are its children; it does not end with this context.

        An error that leaves the context is noted as the span's.
        """
        self._attach()
        try:
            yield self
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            self._detach()

    @contextmanager
    def ending(self, *own: type[BaseException]) -> Generator[Self]:
        """End it with this context, in which a caller's code runs too, whose errors are not those of the span.

        Its error is the one that was noted, if any; else one that leaves this context, if that is among ``own``.
        """
        try:
            yield self
        except BaseException as error:
            self.end(error if isinstance(error, (*own, CancelledError)) else None)
            raise
        self.end(None)

    def __enter__(self) -> Self:
        if self._found is not None:
            self._attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._found is None:
            return
        self.end(error)
        # What nobody awaits any more is closed in a context of its own, in which there is nothing to restore.
        if kind is not GeneratorExit:
            self._detach()

    # ---- its end ---------------------------------------------------------------------------------------------------

    def end(self, error: BaseException | None) -> None:
        """End it, as failed if there is an error."""
        if self._found is None:
            return
        error = self._failure or error
        if isinstance(error, GeneratorExit):
            error = None
        if self.is_recording:
            self._last_words(error)
            if error is not None:
                self._span.set_attribute("error.type", kind_of(error))
                self._span.set_status(self._found.error, description_of(error))
            # An event may still come from a task that was begun meanwhile.
            self.is_recording = False
            self._span.end()
        if self._seconds is not None:
            self._seconds.record(time.perf_counter() - self._began, {**self._known, **self._measured(error)})

    def _last_words(self, error: BaseException | None) -> None:
        """Set what is known at the end only."""

    def _measured(self, error: BaseException | None) -> Attributes:
        """Return the attributes of the duration beside the known ones."""
        return {} if error is None else {"error.type": kind_of(error)}

    def _attach(self) -> None:
        # One that is not sampled is the current one too, so that its children are not sampled either.
        if self._found is not None and (self.is_recording or self._span.get_span_context().is_valid):
            self._token = self._found.attach(self._found.with_span(self._span))

    def _detach(self) -> None:
        if self._found is not None and self._token is not None:
            token, self._token = self._token, None
            self._found.detach(token)


NO_SPAN = Span(None, "", {})
"""A span that nobody sees."""


def work(name: str, attributes: Attributes | None = None) -> Span:
    """Begin the span of some work of several calls, whose spans are its children if it is the current one."""
    return Span(telemetry(), name, attributes or {})


def plain(value: Value) -> Value:
    """Return a value as exporters know it: of an enum, or of what else is a string with more to it, the text."""
    return str.__str__(value) if isinstance(value, str) else value


def kind_of(error: BaseException) -> str:
    """Return the kind of an error, which has few values: the status of a response, or the name of the class."""
    return str(error.status) if isinstance(error, ApiError) else type(error).__name__


def detail_of(error: BaseException) -> str:
    """Return what may be told of an error beyond its kind: never its message, because servers quote requests in it.

    Of a response this is the server's type of the exception, of others the class of their first cause.
    """
    if isinstance(error, ApiError):
        return error.type if _TYPE.fullmatch(error.type) else ""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return "" if cause is error else type(cause).__name__


def description_of(error: BaseException) -> str:
    """Return the description of a failed span's status."""
    found = [type(error).__name__ if isinstance(error, ApiError) else "", detail_of(error)]
    return ": ".join(filter(None, found))
