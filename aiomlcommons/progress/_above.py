"""Output of others while a live display is at the foot of the terminal: whole lines, printed above it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TextIO


class AboveStream:
    """Stands for a stream to the terminal, and hands on what is written by whole lines."""

    def __init__(self, stream: TextIO, say: Callable[[str], None]) -> None:
        self._stream, self._say, self._begun = stream, say, ""

    def write(self, text: str) -> int:
        """Hand on the lines that are whole; keep the last one until it is."""
        whole, _, self._begun = (self._begun + text).rpartition("\n")
        if whole or text.endswith("\n"):
            self._say(f"{whole}\n")
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Hand on lines."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: a line that is not whole would be torn by the display."""

    def finish(self) -> None:
        """Write what was begun to the stream itself."""
        begun, self._begun = self._begun, ""
        if begun:
            self._stream.write(begun)
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def behind(stream: TextIO) -> TextIO:
    """Return the terminal itself, which a stream may stand for."""
    return stream._stream if isinstance(stream, AboveStream) else stream


class Above:
    """Puts streams in the place of standard output and error, and of what log handlers write to, until ``close``.

    Only of those that are terminals: what goes to a file or a pipe is left alone.
    """

    def __init__(self, terminal: TextIO, say: Callable[[str], None]) -> None:
        self._streams: dict[TextIO, AboveStream] = {}
        self._names: list[str] = []
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is terminal or (stream is not None and not isinstance(stream, AboveStream) and _shows(stream)):
                self._streams[stream] = AboveStream(stream, say)
                self._names.append(name)
                setattr(sys, name, self._streams[stream])
        self._replace(self._streams)

    def close(self) -> None:
        """Put the streams back, unless somebody else has replaced them meanwhile."""
        back = {above: stream for stream, above in self._streams.items()}
        for name in self._names:
            if (stream := back.get(getattr(sys, name))) is not None:
                setattr(sys, name, stream)
        self._replace(back)
        for above in back:
            with suppress(OSError, ValueError):
                above.finish()

    def _replace(self, others: Mapping[Any, Any]) -> None:
        for handler in _handlers():
            if isinstance(handler, logging.StreamHandler) and (other := others.get(handler.stream)) is not None:
                handler.setStream(other)


def _shows(stream: TextIO) -> bool:
    with suppress(ValueError):
        return stream.isatty()
    return False


def _handlers() -> Iterator[logging.Handler]:
    yield from logging.getLogger().handlers
    for logger in list(logging.getLogger().manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from logger.handlers
