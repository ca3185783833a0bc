"""A numpy file of the vectors, which ``np.load(path, mmap_mode="r")`` memory-maps, and a file of their ids."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from itertools import repeat
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._part_file import Part
from aiomlcommons.ingest.sinks.file_sink import EARLIER, FileSink
from aiomlcommons.ingest.types import Documents, Refused
from aiomlcommons.typed import typed

# numpy pads the header for any number of rows, so its length is always this.
HEADER = 128
# Bytes of vectors that wait to be written: a thread for each batch costs more than writing it.
HELD = 1 << 20


class NpySink(FileSink):
    """A file of all vectors as one array of shape ``(documents, dimension)``, in the order of writing.

    Beside it, ``NAME.npy.ids.jsonl`` has a line for each vector, in the same order: ``{"row": 7, "id": "d7"}`` with the
    number of the row in the source, from 0. A row that is missing there failed, or is a duplicate: then the line with
    its id is that of its vector. The first vector decides the dtype and the dimension; vectors of another one are
    refused. About 1 MB of vectors is buffered in memory.
    """

    takes_columns = True  # it looks at no row

    @typed
    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        self.ids_path = Path(f"{os.fspath(path)}.ids.jsonl")
        self._ids_part = Part(self.ids_path)
        self._rows, self._dimension, self._descr = 0, 0, "<f4"
        # What is not written yet, and how many bytes of vectors it has.
        self._held: list[Documents] = []
        self._bytes = 0

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The file of the vectors, and that of their rows and ids."""
        return (self.path, self.ids_path)

    def is_output(self) -> bool:
        """Return whether the file is an array of vectors."""
        try:
            with self.path.open("rb") as file:
                np.lib.format.read_magic(file)
                shape, _, _ = np.lib.format.read_array_header_1_0(file)
        except ValueError:
            return False
        return len(shape) == 2

    def _open(self, state: Any) -> None:
        if state is not None and "ids" not in state:
            raise SinkError(f"{self.name} {EARLIER}")
        state = state if state and state["rows"] else None
        super()._open(state)
        self._ids_part.open(None if state is None else state["ids"])
        known = state or {"rows": 0, "dimension": 0, "descr": "<f4"}
        self._rows, self._dimension, self._descr = known["rows"], known["dimension"], known["descr"]
        if state is None:
            self._part.write(bytes(HEADER))

    def _take(self, batch: Documents) -> Sequence[Refused] | None:
        size = 0 if isinstance(batch.vectors, list) else batch.vectors.nbytes
        if not size or not self._part.is_open or self._bytes + size > HELD:
            return None
        return self._keep(batch)

    def _write(self, batch: Documents) -> Sequence[Refused]:
        refused = self._keep(batch)
        self._write_out()
        return refused

    def _keep(self, batch: Documents) -> Sequence[Refused]:
        """Keep a batch until it is written, or refuse its vectors."""
        if isinstance(batch.vectors, list):
            raise SinkError(f"{self.name} cannot hold the vectors of a sparse model: name it .jsonl or .parquet")
        descr = batch.vectors.dtype.newbyteorder("<").str
        dimension = batch.vectors.shape[1]
        if (self._rows or self._held) and (dimension, descr) != (self._dimension, self._descr):
            why = f"a vector of {dimension} {descr} after vectors of {self._dimension} {self._descr}"
            return [Refused(i, why) for i in range(len(batch))]
        self._dimension, self._descr = dimension, descr
        self._held.append(batch)
        self._bytes += batch.vectors.nbytes
        return ()

    def _write_out(self) -> None:
        """Write what is held. What of it was written before an error is overwritten the next time."""
        width = self._dimension * np.dtype(self._descr).itemsize
        at, rows = HEADER + self._rows * width, 0
        for batch in self._held:
            self._part.write(np.ascontiguousarray(batch.vectors, self._descr).reshape(-1).view("u1").data, at)
            at, rows = at + len(batch) * width, rows + len(batch)
        self._ids_part.write(b"".join(map(_lines, self._held)))
        self._rows += rows
        self._drop()

    def _drop(self) -> None:
        self._held, self._bytes = [], 0

    def _flush(self) -> Any:
        self._write_out()
        return {
            **super()._flush(),
            "ids": self._ids_part.sync(),
            "rows": self._rows,
            "dimension": self._dimension,
            "descr": self._descr,
        }

    def _close(self, *, complete: bool) -> None:
        published = False
        if not complete and not self._rows:
            self._part.length = self._ids_part.length = 0  # empty files are not kept
        try:
            if complete and self._part.is_open:
                self._write_out()
                # Last, because only now is the number of vectors known.
                self._part.write(self._header(), at=0)
            self._ids_part.close(complete=complete)
            published = complete
        finally:
            self._drop()
            self._ids_part.close(complete=False)
            super()._close(complete=published)

    def _header(self) -> bytes:
        header = io.BytesIO()
        shape = (self._rows, self._dimension)
        np.lib.format.write_array_header_1_0(header, {"descr": self._descr, "fortran_order": False, "shape": shape})
        return header.getvalue()


def _lines(batch: Documents) -> bytes:
    numbers = batch.numbers or repeat(None)
    objects = orjson.dumps([{"row": number, "id": key} for number, key in zip(numbers, batch.ids, strict=False)])
    # A quote within a text has a backslash before it, and one that ends a text no name after it.
    return objects[1:-1].replace(b'},{"row":', b'}\n{"row":') + b"\n" if batch.ids else b""
