"""Streamed responses: an incremental parser of server-sent events (SSE), and typed events over it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar, overload

import attrs

from aiomlcommons.decoding.bounded import LARGEST_RESPONSE, TooMuch, decode_json
from aiomlcommons.endpoint import Pieces, Request
from aiomlcommons.errors import DecodeError, RequestTimeout, ResponseTooLarge, StreamCut, StreamFailed
from aiomlcommons.http import HttpResponse
from aiomlcommons.namespace import HasSession, Operation, P
from aiomlcommons.trouble.error_body import LARGEST, describe
from aiomlcommons.usage import Context, refuses
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http

E = TypeVar("E")
Data = Mapping[str, Any]
BOM = b"\xef\xbb\xbf"
FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
SHOWN = 200
"""Bytes of the beginning of a response that are kept for the error message if it is no event stream."""


class StreamRequest(Request[E]):
    """Base of a request whose response is a stream of events of type ``E``."""

    def event(self, data: Data) -> E:
        """Decode the event from the data of a frame."""
        raise NotImplementedError

    def is_last(self, event: E) -> bool:
        """Return whether the stream may end after this event."""
        raise NotImplementedError


class Frames:
    """An incremental parser of server-sent events: a frame ends at a blank line, independent of network boundaries.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self, most: int = LARGEST_RESPONSE) -> None:
        """``most``: bytes of one frame, and of one line."""
        self._most = most
        self._line, self._data = bytearray(), bytearray()  # what has come of them
        self._size, self._after_cr = 0, False  # bytes of the lines of the data
        self._bom = BOM

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Add received bytes, and yield the data of each frame that they complete.

        Raises TooMuch for a frame that is too large.
        """
        if not piece:
            return
        # A line ends with CR, LF or both, which may come apart.
        text = piece.removeprefix(b"\n") if self._after_cr else piece
        self._after_cr = piece.endswith(b"\r")
        lines = text.splitlines()
        rest = b"" if text.endswith((b"\r", b"\n")) or not lines else lines.pop()
        for line in lines:
            if (data := self._data_of(line)) is not None:
                yield data
        self._line += rest
        self._check()

    def _data_of(self, line: bytes) -> bytes | None:
        """Add the end of a line; return the data of the frame that it ends, if it does."""
        if self._line:
            self._line += line
            line = bytes(self._line)
            self._line.clear()
        line = line.removeprefix(self._bom)
        self._bom = b""  # only the first line may begin with a byte order mark
        if line.startswith(b"data:"):
            self._data += (b"\n" if self._size else b"") + line[5:].removeprefix(b" ")
            self._size += len(line) + 1
            self._check()
        elif not line and self._size:
            data = bytes(self._data)
            self._data.clear()
            self._size = 0
            return data
        return None

    def _check(self) -> None:
        if len(self._line) + self._size > self._most:
            raise TooMuch(f"has a frame of more than {self._most} bytes")


@refuses("async with", "with", "await", "for", write="`async for event in events:`")
class Events(Generic[E]):
    """An async iterator over the events of a stream: ``async for event in events``.

    Raises:
        StreamFailed: The server reports an error within the stream.
        StreamCut: The stream ends before its last event.
        DecodeError: An event has an unexpected shape, or the response is no event stream, such as a proxy's page.
        ResponseTooLarge: A frame has more than ``max_response_bytes``.
        RequestTimeout: Nothing was received for the read timeout. The server does not notice if a provider dies in
            the middle of a stream.
    """

    def __init__(self, request: StreamRequest[E], pieces: Pieces, most: int = LARGEST_RESPONSE) -> None:
        self._request, self._pieces, self._most = request, pieces, most
        self._frames = Frames(most)
        self._ready: deque[bytes] = deque()
        self._beginning = b""
        self._may_end = self._has_begun = False

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        try:
            return await self._next_event()
        except TooMuch as error:
            request = attrs.evolve(to_http(self._request), most=self._most)
            raise ResponseTooLarge(request, 200, str(error)) from None

    async def _next_event(self) -> E:
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
        # Raised outside of the except block: the first error holds the credentials of its request, and must not become
        # the context of this one.
        why = "the server does not end the stream if its provider died; a shorter read timeout notices it sooner"
        raise RequestTimeout(f"{silent.message}; {why}", silent.request) from silent.__cause__

    def _event(self, frame: bytes) -> E:
        data = _data(frame, self._most)
        try:
            event = self._request.event(data)
        except convert.Unreadable as error:
            raise self._unreadable(f"an event does not match its type: {error}", frame) from None
        self._may_end = self._request.is_last(event)
        return event

    def _end(self) -> Exception:
        if self._may_end:
            return StopAsyncIteration()
        if not self._has_begun and not _begins_stream(self._beginning.removeprefix(BOM).lstrip()):
            return self._unreadable("the response is not an event stream", self._beginning)
        return StreamCut(type(self._request).__name__)

    def _unreadable(self, message: str, body: bytes) -> DecodeError:
        return DecodeError(message, HttpResponse(200, body, request=to_http(self._request)))


def _begins_stream(beginning: bytes) -> bool:
    # The response may have ended within the name of its first field.
    return any(beginning.startswith(field) or field.startswith(beginning) for field in FIELDS)


def _data(frame: bytes, most: int) -> Data:
    try:
        data = decode_json(frame, most)
    except TooMuch:
        raise
    except ValueError:
        # The server does not JSON-escape every error that it puts into a frame.
        raise StreamFailed(frame[:LARGEST].decode("utf-8", "replace")) from None
    if not isinstance(data, Mapping):
        raise StreamFailed(f"an event must be a JSON object, not {frame[:100]!r}")
    if "error" in data and "inference_results" not in data:
        _, reason, details = describe(data)
        raise StreamFailed(": ".join(filter(None, (reason, details))) or str(data["error"]))
    return data


class streams(Operation[P], Generic[P, E]):  # noqa: N801 - predict_stream = streams(PredictStream)
    """A descriptor that makes a request class a method which opens a stream of its events.

    ``async with ml.models.predict_stream(...) as events:``.
    """

    request: Callable[P, StreamRequest[E]]

    def __init__(self, request: Callable[P, StreamRequest[E]]) -> None:
        super().__init__(request)
        self._call = "the stream"

    def __set_name__(self, owner: type, name: str) -> None:
        self._call = f"{name}(...)"

    @overload
    def __get__(self, space: None, owner: type) -> streams[P, E]: ...
    @overload
    def __get__(self, space: HasSession, owner: type) -> Callable[P, AbstractAsyncContextManager[Events[E]]]: ...
    def __get__(self, space: HasSession | None, owner: type) -> Any:
        if space is None:
            return self
        session = space._session

        @asynccontextmanager
        async def opened(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Events[E]]:
            request = self.make(*args, **kwargs)
            async with session.pieces(request) as pieces:
                yield Events(request, pieces, session._most)

        def call(*args: P.args, **kwargs: P.kwargs) -> Context[Events[E]]:
            return Context(self._call, write, partial(opened, *args, **kwargs))

        write = f"`async with ...{self._call} as events:`, then `async for event in events:`"
        return self.dress(call)
