"""JSON Lines: the rows with their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from aiomlcommons.ingest.sinks._json_rows import encoded
from aiomlcommons.ingest.sinks.file_sink import FileSink
from aiomlcommons.ingest.types import Documents, Refused


class JsonLinesSink(FileSink):
    """A file of one JSON object a line: the keys of the row, and its vector as ``field`` (default ``embedding``).

    A dense vector is an array, a sparse one an object. Documents that JSON cannot hold are refused: NaN or infinity in
    the vector, bytes or a Decimal in the row. In a row NaN and infinity become null, and dates ISO text.
    """

    def __init__(self, path: str | PathLike[str], *, field: str = "embedding") -> None:
        super().__init__(path)
        self.field = field

    def _write(self, batch: Documents) -> Sequence[Refused]:
        lines, refused = encoded(batch, self.field)
        self._part.write(b"".join(lines.values()))
        return refused
