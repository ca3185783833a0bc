"""Answers that come event by event (server-sent events), whatever pieces the network cuts them into."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar, overload

import orjson

from aiomlcommons.endpoint import Pieces, Request
from aiomlcommons.errors import DecodeError, RequestTimeout, StreamCut, StreamFailed
from aiomlcommons.http import HttpResponse
from aiomlcommons.namespace import HasSession, Operation, P
from aiomlcommons.trouble.error_body import describe
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http

E = TypeVar("E")
Data = Mapping[str, Any]
BOM = b"\xef\xbb\xbf"
FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
SHOWN = 200
"""Bytes of an answer that are kept to be shown where it is no stream."""


class StreamRequest(Request[E]):
    """Base of a request whose answer is a stream of ``E``."""

    def event(self, data: Data) -> E:
        """The event that a frame holds."""
        raise NotImplementedError

    def is_last(self, event: E) -> bool:
        """Whether a stream may end after this event."""
        raise NotImplementedError


class Frames:
    """Cuts bytes into the data of server-sent events. Frames end at a blank line, wherever the pieces end.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self) -> None:
        self._line = b""
        self._data: list[bytes] = []
        self._bom = BOM

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each frame that a piece completes."""
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            line = line.removeprefix(self._bom).removesuffix(b"\r")
            self._bom = b""  # only the first line may begin with it
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []


class Events(Generic[E]):
    """The events of a stream, as they come: ``async for event in events``.

    Raises StreamFailed for an error that the server reports in the stream, StreamCut where it stops before its last
    event, DecodeError for what is no event and for an answer that is no stream, such as a page of a proxy. A provider
    that dies in the middle goes unnoticed by the server: RequestTimeout after the silence that ``timeout`` allows.
    """

    def __init__(self, request: StreamRequest[E], pieces: Pieces) -> None:
        self._request, self._pieces = request, pieces
        self._frames = Frames()
        self._ready: deque[bytes] = deque()
        self._beginning = b""
        self._may_end = self._has_begun = False

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while not self._ready:
            piece = await self._next()
            if not piece:
                raise self._end()
            self._beginning += piece[: SHOWN - len(self._beginning)]
            self._ready.extend(self._frames.feed(piece))
        self._has_begun = True
        return self._event(self._ready.popleft())

    async def _next(self) -> bytes:
        try:
            return await self._pieces()
        except RequestTimeout as error:
            silent = error
        # Raised here, not above: the first error still holds the credentials of its request, and must not be seen.
        why = "a provider that died does not end the stream, so a shorter limit notices it sooner"
        raise RequestTimeout(f"{silent.message}; {why}", silent.request) from silent.__cause__

    def _event(self, frame: bytes) -> E:
        data = _data(frame)
        try:
            event = self._request.event(data)
        except convert.Unreadable as error:
            raise self._unreadable(f"an event does not fit: {error}", frame) from None
        self._may_end = self._request.is_last(event)
        return event

    def _end(self) -> Exception:
        if self._may_end:
            return StopAsyncIteration()
        if not self._has_begun and not _begins_stream(self._beginning.removeprefix(BOM).lstrip()):
            return self._unreadable("the answer is no stream of events", self._beginning)
        return StreamCut(type(self._request).__name__)

    def _unreadable(self, message: str, body: bytes) -> DecodeError:
        return DecodeError(message, HttpResponse(200, body, request=to_http(self._request)))


def _begins_stream(beginning: bytes) -> bool:
    # It may have been cut off within the name of its first field.
    return any(beginning.startswith(field) or field.startswith(beginning) for field in FIELDS)


def _data(frame: bytes) -> Data:
    try:
        data = orjson.loads(frame)
    except ValueError:
        # The server does not escape every error that it puts into a frame.
        raise StreamFailed(frame.decode("utf-8", "replace")) from None
    if not isinstance(data, Mapping):
        raise StreamFailed(f"an event is an object, not {frame[:100]!r}")
    if "error" in data and "inference_results" not in data:
        _, reason, details = describe(data)
        raise StreamFailed(": ".join(filter(None, (reason, details))) or str(data["error"]))
    return data


class streams(Operation[P], Generic[P, E]):  # noqa: N801 - predict_stream = streams(PredictStream)
    """A method that opens a stream: ``async with ml.models.predict_stream(...) as events:``."""

    request: Callable[P, StreamRequest[E]]

    def __init__(self, request: Callable[P, StreamRequest[E]]) -> None:
        super().__init__(request)

    @overload
    def __get__(self, space: None, owner: type) -> streams[P, E]: ...
    @overload
    def __get__(self, space: HasSession, owner: type) -> Callable[P, AbstractAsyncContextManager[Events[E]]]: ...
    def __get__(self, space: HasSession | None, owner: type) -> Any:
        if space is None:
            return self
        session = space._session

        @asynccontextmanager
        async def call(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Events[E]]:
            request = self.request(*args, **kwargs)
            async with session.pieces(request) as pieces:
                yield Events(request, pieces)

        return self.dress(call)
