"""Where embedded rows go. A file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import anyio.to_thread
import orjson

from aiomlcommons.pipeline.embed import Batch
from aiomlcommons.vectors import Vectors


class Sink(Protocol):
    """Anything that takes batches."""

    async def write(self, batch: Batch[Any], /) -> None:
        """Take a batch."""
        ...


class _File:
    """A file that is written beside its name and takes it at the end, if all went well."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")

    async def __aenter__(self) -> Self:
        self._file: IO[bytes] = await anyio.to_thread.run_sync(lambda: self._part.open("wb"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finish = self._abandon if kind else self._complete
        # Even when cancelled: a half-written file must not stay behind.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(finish)

    def _complete(self) -> None:
        with self._file:
            self._end(self._file)
        self._part.replace(self.path)

    def _abandon(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _end(self, file: IO[bytes]) -> None:
        """What is written last."""

    async def _write(self, data: Callable[[], bytes]) -> None:
        await anyio.to_thread.run_sync(lambda: self._file.write(data()))


class JsonLines(_File):
    """One JSON object a line: the row's own keys and its vector as ``embedding`` (or another ``field``)."""

    def __init__(self, path: str | PathLike[str], *, field: str = "embedding") -> None:
        super().__init__(path)
        self._field = field

    async def write(self, batch: Batch[Any], /) -> None:
        """Append a batch. A row that is no mapping is written as ``text``."""
        await self._write(lambda: b"".join(map(self._line, batch.rows, batch.vectors)))

    def _line(self, row: Any, vector: Vectors) -> bytes:
        keys = row if isinstance(row, Mapping) else {"text": row}
        return orjson.dumps(
            {**keys, self._field: vector}, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        )


class Npy(_File):
    """A numpy file of all vectors, of shape ``(rows, dimension)``, in the order in which they are written."""

    # A fixed place for the header, whose number of rows is known only at the end.
    HEADER = 128

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._rows, self._dimension, self._descr = 0, 0, "<f4"
        await self._write(lambda: bytes(self.HEADER))
        return self

    async def write(self, batch: Batch[Any], /) -> None:
        """Append the vectors of a batch.

        Raises ValueError where their dimension or type differs from that of the batches before.
        """
        vectors = batch.vectors
        shape = (vectors.shape[1], vectors.dtype.newbyteorder("<").str)
        if self._rows and shape != (self._dimension, self._descr):
            raise ValueError(f"vectors of {shape} after vectors of {(self._dimension, self._descr)}")
        self._dimension, self._descr = shape
        self._rows += len(batch)
        await self._write(vectors.tobytes)

    def _end(self, file: IO[bytes]) -> None:
        shape = (self._rows, self._dimension)
        words = f"{{'descr': {self._descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
        file.seek(0)
        length = self.HEADER - 10
        file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + words.ljust(length - 1).encode() + b"\n")


def file_sink(path: str | PathLike[str]) -> JsonLines | Npy:
    """The sink that a file's ending asks for: ``.jsonl`` or ``.npy``.

    Raises ValueError for any other ending.
    """
    match Path(path).suffix:
        case ".jsonl" | ".ndjson":
            return JsonLines(path)
        case ".npy":
            return Npy(path)
        case ending:
            raise ValueError(f"cannot write {ending or 'a file without ending'}: name it .jsonl or .npy")
