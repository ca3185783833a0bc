"""What a re-embedding makes of what (Task), and how fast (Pace)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.inference.methods import Side

OF = "_of"
"""What the field of the fingerprints is called after that of the vectors: a keyword, ``index: false``."""


def of(field: str) -> str:
    """Return the field that says of which model and text the vectors of a field are."""
    return field + OF


@attrs.frozen(kw_only=True)
class Task:
    """What is made of what.

    Attributes:
        source: The own name of the index that is read, no alias.
        target: The index that is written; the same one if the vectors become a second field of it.
        field: The field of the new vectors; ``of`` is that of their fingerprints.
        text: A field, a path or a template, as ``ml.ingest`` takes it.
        model: The id of the new model, which is deployed.
        sparse: Whether its vectors are sparse.
        dropped: Fields of the documents, or paths, that are not copied, such as the old vectors.
        any_version: Whether the source may have documents whose versions are not the server's own counts, as an index
            that was itself made by a re-embedding has. Else they say that writers give versions of their own, which
            the target would refuse.
        old_model: The id of the model of the old vectors, if ``back`` is to make them.
        old_field: The field of the old vectors in the source. None: there is none.
        old_sparse: Whether the old vectors are sparse.
        old_fingerprints: Whether the source has fingerprints of the old vectors, in ``of(old_field)``.
        old_pipeline: Whether the default pipeline of the source makes the old vectors, so that ``back`` need not.
    """

    source: str
    target: str
    field: str
    text: str
    model: str
    sparse: bool = False
    dropped: Sequence[str] = ()
    any_version: bool = False
    old_model: str | None = None
    old_field: str | None = None
    old_sparse: bool = False
    old_fingerprints: bool = False
    old_pipeline: bool = False

    @property
    def of(self) -> str:
        """The field of the fingerprints."""
        return of(self.field)

    @property
    def in_place(self) -> bool:
        """Whether the vectors become a second field of the same index."""
        return self.source == self.target

    @property
    def text_of(self) -> TextFrom:
        """The function that extracts a document's text. Raises InvalidRequest for a wrong template."""
        return TextFrom(self.text)


def _id_of(row: Any) -> str:
    key: str = row.write.id
    return key


@attrs.frozen(kw_only=True)
class Pace:
    """How fast, and how patiently: the options of ``ml.ingest`` of the same names."""

    dead_letters: str | PathLike[str] | None = None
    max_failures: float = math.inf
    batch: int = 64
    batch_bytes: int = 1_000_000
    concurrency: int | tuple[int, int] = (1, 64)
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    content_type: Side | None = None
    max_chars: int | None = None
    backoff: Backoff = Backoff(jitter=1)
    stall_timeout: float = 600.0

    def options(self, text: str) -> JobOptions:
        """Return the options of the job that embeds the texts. Raises InvalidRequest for a wrong one."""
        return JobOptions(text=text, id=_id_of, ordered=False, **attrs.asdict(self, recurse=False))
