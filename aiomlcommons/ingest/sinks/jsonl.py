"""JSON Lines: the rows with their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import orjson

from aiomlcommons.ingest.sinks._json_rows import in_pieces, not_json
from aiomlcommons.ingest.sinks.file_sink import FileSink
from aiomlcommons.ingest.types import Documents, Refused, Row
from aiomlcommons.typed import typed


class JsonLinesSink(FileSink):
    """A file of one JSON object a line: the keys of the row, and its vector as ``field`` (default ``embedding``).

    A dense vector is an array, a sparse one an object. It replaces a key of the row with its name. Whole numbers and
    Decimals are written digit by digit; in a row NaN and infinity become null, and dates ISO text. Documents that JSON
    cannot hold are refused: NaN or infinity in the vector, bytes or a set in the row.
    """

    @typed
    def __init__(self, path: str | PathLike[str], *, field: str = "embedding") -> None:
        super().__init__(path)
        self.field = field

    def screen(self, _: Sequence[str], rows: Sequence[Row], /) -> Sequence[Refused]:
        """Return the documents whose row JSON cannot hold."""
        return not_json(rows, self.field)

    def is_output(self) -> bool:
        """Return whether the file is empty, or its first line has a vector."""
        with self.path.open("rb") as file:
            line = file.readline()
        try:
            return not line or isinstance(orjson.loads(line).get(self.field), list | dict)
        except (ValueError, AttributeError):
            return False

    def _write(self, batch: Documents) -> Sequence[Refused]:
        refused: list[Refused] = []
        for piece in in_pieces(batch.rows, batch.vectors, self.field):
            self._part.write(piece.body)
            refused += piece.refused
        return refused
