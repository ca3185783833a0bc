"""What a re-embedding is going to do: how much, how long, into what; nothing of it is written yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.progress.words import size, span


@attrs.frozen(kw_only=True, repr=False)
class Plan(Readable):
    """What is going to be done. Its ``str`` is readable.

    Attributes:
        source: The index that is read.
        target: The index that is written; the same one if the vectors become a second field of it.
        alias: The alias that is switched; None with a second field.
        field: The field of the new vectors.
        text: What is embedded of each document.
        model_id: The new model.
        model_name: Its name.
        phase: How far the run is.
        documents: The documents of the source.
        copied: The documents that the new index of a run had already; None if it is not begun, and with a second field.
        bytes: About how large the new index will be, with its replicas; None if it is not known.
        bytes_free: What the disks of all data nodes have free; None if it is hidden.
        seconds: About how long the embedding takes; None if it was not measured.
        rate: Documents per second in the sample; None if none was taken.
        sampled: The documents of the sample.
        refused: Why documents of the sample would have no vector, with their numbers.
        mapping: The mapping of the new field.
        body: The request that makes the new index; with a second field the mapping that is added.
        warnings: What is good to know.
    """

    source: str
    target: str
    alias: str | None = None
    field: str
    text: str
    model_id: str
    model_name: str = ""
    phase: str = "planned"
    documents: int = 0
    copied: int | None = None
    bytes: int | None = None
    bytes_free: int | None = None
    seconds: float | None = None
    rate: float | None = None
    sampled: int = 0
    refused: Mapping[str, int] = attrs.field(factory=dict)
    mapping: Mapping[str, Any] = attrs.field(factory=dict)
    body: Mapping[str, Any] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def in_place(self) -> bool:
        """Whether the vectors become a second field of the same index."""
        return self.source == self.target

    def __str__(self) -> str:
        return "\n".join(f"{name:<11}{words}" for name, words in self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        where = "a new field of the same index" if self.in_place else f"-> {self.target}"
        yield "index", f"{self.source} {where}; {self.phase}"
        if self.alias is not None:
            yield "alias", f"{self.alias}, which is switched in one request"
        kind = ", ".join(f"{name} {value}" for name, value in self.mapping.items() if isinstance(value, str | int))
        yield "field", f"{self.field} ({kind}), of {self.text}" if kind else f"{self.field}, of {self.text}"
        yield "model", f"{self.model_name} ({self.model_id})".strip()
        yield "documents", f"{self.documents:,}"
        if self.rate is not None:
            yield "time", f"about {span(self.seconds)}, at {self.rate:,.0f} documents/s as in a sample"
        for why, count in self.refused.items():
            yield "", f"{count:,} of the sample would have no vector: {why}"
        if self.bytes is not None:
            free = "" if self.bytes_free is None else f"; {size(self.bytes_free)} are free"
            yield "size", f"about {size(self.bytes)}{free}"
        for words in self.warnings:
            yield "note", words
