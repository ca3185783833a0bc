"""A numpy file of the vectors alone, which ``np.load(path, mmap_mode="r")`` memory-maps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks.file_sink import FileSink
from aiomlcommons.ingest.types import Documents, Refused

# numpy pads the header for any number of rows, so its length is always this.
HEADER = 128


class NpySink(FileSink):
    """A file of all vectors as one array of shape ``(rows, dimension)``, in the order of writing.

    The first vector decides the dtype and the dimension; vectors of another one are refused. The header is written
    last, when the number of rows is known.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        self._rows, self._dimension, self._descr = 0, 0, "<f4"

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
        state = state if state and state["rows"] else None
        super()._open(state)
        known = state or {"rows": 0, "dimension": 0, "descr": "<f4"}
        self._rows, self._dimension, self._descr = known["rows"], known["dimension"], known["descr"]
        if state is None:
            self._part.write(bytes(HEADER))

    def _write(self, batch: Documents) -> Sequence[Refused]:
        if isinstance(batch.vectors, list):
            raise SinkError(f"{self.name} cannot hold the vectors of a sparse model: name it .jsonl or .parquet")
        descr = batch.vectors.dtype.newbyteorder("<").str
        dimension = batch.vectors.shape[1]
        if self._rows and (dimension, descr) != (self._dimension, self._descr):
            why = f"a vector of {dimension} {descr} after vectors of {self._dimension} {self._descr}"
            return [Refused(i, why) for i in range(len(batch))]
        self._part.write(np.ascontiguousarray(batch.vectors, descr).reshape(-1).view("u1").data)
        self._dimension, self._descr = dimension, descr
        self._rows += len(batch)
        return ()

    def _flush(self) -> Any:
        return {**super()._flush(), "rows": self._rows, "dimension": self._dimension, "descr": self._descr}

    def _close(self, *, complete: bool) -> None:
        if complete and self._part.is_open:
            self._part.write(self._header(), at=0)
        elif not self._rows:
            self._part.length = 0  # an empty file is not kept
        super()._close(complete=complete)

    def _header(self) -> bytes:
        header = io.BytesIO()
        shape = (self._rows, self._dimension)
        np.lib.format.write_array_header_1_0(header, {"descr": self._descr, "fortran_order": False, "shape": shape})
        return header.getvalue()
