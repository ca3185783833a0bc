"""How long documents are split into chunks: by characters, by tokens, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from operator import index
from typing import Any, TypeAlias

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources._cutting import Cutter
from aiomlcommons.typed import typed_but

Split: TypeAlias = Callable[[str], Iterable[str]]


def _named(value: Any) -> str:
    """Return how a checkpoint identifies a tokenizer or a function, in this process and the next."""
    return "None" if value is None else str(getattr(value, "__qualname__", type(value).__name__))


@attrs.frozen(kw_only=True, field_transformer=typed_but("size overlap tokenizer split"))
class Chunks:
    """How each row becomes several documents, with one chunk of its text each.

    A chunk ends where a sentence does if one ends in its second half, else at whitespace, and within a word only if
    that is longer than a chunk. It is a part of the text, without whitespace around it. Raises InvalidRequest.

    Attributes:
        size: The most characters of a chunk, or with ``tokenizer`` the most tokens.
        overlap: The most characters or tokens that a chunk has in common with the one before it.
        tokenizer: An object with ``encode``, such as a ``tokenizers.Tokenizer``, or a function from a text to its
            tokens or their number. Special tokens that it adds count too.
        split: A function from a text to its chunks, instead of ``size``.
        parent: The field of a document that holds the id of its row.
        number: The field that holds the number of the chunk in its row, from 0.
    """

    size: int | None = None
    overlap: int = 0
    tokenizer: Any = attrs.field(default=None, repr=_named)
    split: Split | None = attrs.field(default=None, repr=_named)
    parent: str = "parent_id"
    number: str = "chunk"

    def __attrs_post_init__(self) -> None:
        if (self.size is None) == (self.split is None):
            raise InvalidRequest("Chunks needs either size=, the most characters or tokens of a chunk, or split=")
        if self.split is not None:
            if self.overlap or self.tokenizer is not None or not callable(self.split):
                raise InvalidRequest("split must be a function of a text, without overlap and tokenizer")
            return
        counts = _is_count(self.size, least=1) and _is_count(self.overlap, least=0)
        if not counts or self.overlap >= (self.size or 0):
            given = f"{self.size!r} and {self.overlap!r}"
            raise InvalidRequest(f"size must be 1 or more and overlap 0 or more but less than size, not {given}")
        if self.parent == self.number:
            raise InvalidRequest(f"parent and number must be two fields, not {self.parent!r} twice")
        self._cutter  # noqa: B018 - raises for a wrong tokenizer

    @cached_property
    def _cutter(self) -> Cutter:
        return Cutter(self.size or 0, self.overlap, _measure(self.tokenizer))

    @classmethod
    def of(cls, given: Any) -> Chunks | None:
        """Return what ``ml.ingest`` takes as ``chunk``: a Chunks, a function, or None. Raises InvalidRequest."""
        if given is None or isinstance(given, cls):
            return given
        if not callable(given):
            raise InvalidRequest(f"chunk must be such as Chunks(size=1_000), or a function of a text, not {given!r}")
        split: Any = given
        return cls(split=split)

    def __call__(self, text: str) -> list[str]:
        """Return the chunks of a text. Raises ValueError, TypeError if it cannot be split."""
        if self.split is None:
            return self._cutter(text)
        chunks = self.split(text)
        if isinstance(chunks, str) or not isinstance(chunks, Iterable):
            raise TypeError(f"split must return a list of strings, not {type(chunks).__name__}")
        chunks = list(chunks)
        if not chunks or not all(isinstance(chunk, str) for chunk in chunks):
            raise TypeError(f"split must return one string or more in a list, not {repr(chunks)[:80]}")
        return chunks


def _is_count(value: Any, *, least: int) -> bool:
    try:
        return not isinstance(value, bool) and index(value) >= least
    except TypeError:
        return False


def _measure(tokenizer: Any) -> Callable[[str], int]:
    """Return the function that measures a text: its characters, or its tokens by any of the usual tokenizers."""
    if tokenizer is None:
        return len
    if hasattr(tokenizer, "no_truncation"):
        # The tokenizer.json of a model cuts texts at its limit and fills them up to it: all would be of one length.
        tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
    encode = getattr(tokenizer, "encode", tokenizer)
    if not callable(encode):
        raise InvalidRequest(f"tokenizer must have a method encode or be a function, not {type(tokenizer).__name__}")
    return lambda text: _count(encode(text))


def _count(tokens: Any) -> int:
    if isinstance(tokens, Mapping):
        tokens = tokens["input_ids"]  # what a tokenizer of transformers returns if it is called
    return tokens if isinstance(tokens, int) else len(tokens)
