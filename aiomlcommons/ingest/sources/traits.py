"""What a source may tell about itself beside its rows. Each method is optional; a source around another forwards it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from aiomlcommons.ingest.types import Source


@runtime_checkable
class ReadsFiles(Protocol):
    """A source that reads files of this machine."""

    def reads(self, path: str) -> bool:
        """Return whether this file is one of them, or would be if it existed; ``path`` is resolved. May block."""
        ...


@runtime_checkable
class OnceOnly(Protocol):
    """A source that may be one that can be read only once, such as a named pipe."""

    def once_only(self) -> bool:
        """Return whether it can be read only once. May block."""
        ...


@runtime_checkable
class HasOptions(Protocol):
    """A source that can be read in several ways, such as a file of text."""

    @property
    def options(self) -> dict[str, Any] | None:
        """How it is read, as JSON; None if that is the default. A position belongs to it."""
        ...


@runtime_checkable
class Rereadable(Protocol):
    """A source whose first rows can be looked at before the job reads it."""

    def rereadable(self) -> bool:
        """Return whether it yields its first rows at once, and again. May block."""
        ...


@runtime_checkable
class Patient(Protocol):
    """A source that retries for up to a stall timeout, such as an index."""

    def with_stall_timeout(self, seconds: float) -> Source:
        """Return the source with this stall timeout."""
        ...


def reads(source: Source, path: str) -> bool:
    """Return whether a source reads a file of this machine, by its resolved path. May block: call it in a thread."""
    return isinstance(source, ReadsFiles) and source.reads(path)


def once_only(source: Source) -> bool:
    """Return whether a source can be read only once: standard input or a named pipe. May block: call it in a thread."""
    return isinstance(source, OnceOnly) and source.once_only()


def options_of(source: Source) -> dict[str, Any] | None:
    """Return how a source is read, which a checkpoint must know; None if there is but one way or it is the default."""
    return source.options if isinstance(source, HasOptions) else None


def rereadable(source: Source) -> bool:
    """Return whether a source is known to yield its first rows at once, and again. May block: call it in a thread."""
    return isinstance(source, Rereadable) and source.rereadable()


def with_stall_timeout(source: Source, seconds: float) -> Source:
    """Return the source with this stall timeout, if it reads from a cluster."""
    return source.with_stall_timeout(seconds) if isinstance(source, Patient) else source


class WrappedSource:
    """The base of sources that change the rows of another one, ``source``, which tells the rest."""

    source: Source

    @property
    def name(self) -> str:
        """The name of the wrapped source."""
        return self.source.name

    @property
    def options(self) -> dict[str, Any] | None:
        """How the wrapped source is read."""
        return options_of(self.source)

    def reads(self, path: str) -> bool:
        """Return whether the wrapped source reads a file."""
        return reads(self.source, path)

    def once_only(self) -> bool:
        """Return whether the wrapped source can be read only once."""
        return once_only(self.source)

    def rereadable(self) -> bool:
        """Return whether the wrapped source yields its first rows at once, and again."""
        return rereadable(self.source)
