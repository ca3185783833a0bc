"""The processor ``text_chunking``: texts cut into passages, by words, characters or a delimiter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.pipelines.drafts import Draft, Work, makes
from aiomlcommons.emulator.pipelines.field_maps import check
from aiomlcommons.emulator.pipelines.options import Options
from aiomlcommons.emulator.querying.texts import TOKEN

TOKENIZERS = {
    "whitespace": re.compile(r"\S+"),
    "classic": TOKEN,
    "standard": TOKEN,
    "lowercase": re.compile(r"[^\W\d_]+"),
    "uax_url_email": TOKEN,
    "letter": re.compile(r"[^\W\d_]+"),
    "thai": TOKEN,
}
MOST_CHUNKS = 100
UNLIMITED = -1
SEVERAL = "Unable to create text_chunking processor as [algorithm] contains multiple algorithms"
NO_OBJECT = "Unable to create text_chunking processor as parameters for [{name}] algorithm must be an object"
UNKNOWN = "Chunking algorithm [{name}] is not supported. Supported chunking algorithms are [{known}]"
NO_LIMIT = "Parameter [max_chunk_limit] must be positive or -1 to disable this parameter"
Places = Callable[[str], Iterator[tuple[int, int]]]
"""The begin and the end of each passage of a text."""


@attrs.frozen
class Cutter:
    """Cuts texts at places; ``most`` limits how many passages a document has."""

    places: Places
    most: int = MOST_CHUNKS

    def cut(self, text: str, room: int, others: int) -> list[str]:
        """Return the passages of a text; the last one has all that is left where there is no room for more.

        ``room`` is how many passages the document may still have, ``others`` how many texts need some of it.
        """
        found: list[str] = []
        for begin, end in self.places(text):
            if self.most != UNLIMITED and len(found) + others >= room:
                return [*found, text[begin:]]
            found.append(text[begin:end])
        return found


@makes("text_chunking")
def text_chunking(options: Options) -> Work:
    """Cut the texts that a field map names. A missing text becomes an empty list, unless it is ignored."""
    field_map, algorithm = options.map("field_map"), options.map("algorithm")
    ignores_missing = options.flag("ignore_missing")
    cutter = cutter_of(options, algorithm)

    async def work(_: Cluster, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            try:
                check(draft.source, field_map)
            except Refused as error:
                draft.error = error
                continue
            document = _Document(cutter, ignores_missing, cutter.most, _count(draft.source, field_map))
            document.cut(draft.source, field_map)

    return work


def cutter_of(options: Options, algorithm: Mapping[str, Any]) -> Cutter:
    """Return what cuts as an algorithm says; without one by 384 words. Raises Refused."""
    if len(algorithm) > 1:
        raise options.illegal(SEVERAL)
    name, given = next(iter(algorithm.items()), ("fixed_token_length", {}))
    if not isinstance(given, Mapping):
        raise options.illegal(NO_OBJECT.format(name=name))
    if name not in ALGORITHMS:
        raise options.illegal(UNKNOWN.format(name=name, known=", ".join(ALGORITHMS)))
    most = _whole(options, given, "max_chunk_limit", MOST_CHUNKS)
    if most <= 0 and most != UNLIMITED:
        raise options.illegal(NO_LIMIT)
    return Cutter(ALGORITHMS[name](options, given), most)


def _by_tokens(options: Options, given: Mapping[str, Any]) -> Places:
    size, overlap = _size(options, given, "token_limit", 384), _overlap(options, given)
    tokenizer = _name(options, given, "tokenizer", "standard")
    if tokenizer not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        words = f"Tokenizer [{tokenizer}] is not supported for [fixed_token_length] algorithm."
        raise options.illegal(f"{words} Supported tokenizers are [{known}]")

    def places(text: str) -> Iterator[tuple[int, int]]:
        # What stands before the first word and between two is in the passage before.
        starts = [found.start() for found in TOKENIZERS[tokenizer].finditer(text)]
        for first, last in _windows(len(starts), size, overlap):
            yield starts[first] if first else 0, starts[last] if last < len(starts) else len(text)

    return places


def _by_characters(options: Options, given: Mapping[str, Any]) -> Places:
    size, overlap = _size(options, given, "char_limit", 2048), _overlap(options, given)
    return lambda text: _windows(len(text), size, overlap)


def _windows(length: int, size: int, overlap: float) -> Iterator[tuple[int, int]]:
    """Yield the first place and the place after the last one of windows that overlap by a share of their size."""
    start = 0
    while start < length:
        yield start, min(start + size, length)
        if start + size >= length:
            return
        start += size - int(size * overlap)


def _by_delimiter(options: Options, given: Mapping[str, Any]) -> Places:
    delimiter = _name(options, given, "delimiter", "\n\n")

    def places(text: str) -> Iterator[tuple[int, int]]:
        start = 0
        while (end := text.find(delimiter, start)) != -1:
            yield start, end + len(delimiter)
            start = end + len(delimiter)
        if start < len(text):
            yield start, len(text)

    return places


ALGORITHMS: Mapping[str, Callable[[Options, Mapping[str, Any]], Places]] = {
    "fixed_token_length": _by_tokens,
    "delimiter": _by_delimiter,
    "fixed_char_length": _by_characters,
}


def _name(options: Options, given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise options.illegal(f"Parameter [{name}] must be of java.lang.String type")
    if not value:
        raise options.illegal(f"Parameter [{name}] should not be empty.")
    return value


def _whole(options: Options, given: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(str(given.get(name, default)))
    except ValueError:
        raise options.illegal(f"Parameter [{name}] must be of java.lang.Integer type") from None


def _size(options: Options, given: Mapping[str, Any], name: str, default: int) -> int:
    if (size := _whole(options, given, name, default)) <= 0:
        raise options.illegal(f"Parameter [{name}] must be positive.")
    return size


def _overlap(options: Options, given: Mapping[str, Any]) -> float:
    try:
        overlap = float(str(given.get("overlap_rate", 0.0)))
    except ValueError:
        raise options.illegal("Parameter [overlap_rate] must be of java.lang.Double type") from None
    if not 0.0 <= overlap <= 0.5:
        raise options.illegal("Parameter [overlap_rate] must be between 0.0 and 0.5")
    return overlap


@attrs.define
class _Document:
    """The texts of a document on their way through a cutter: the room for passages, and the texts that are left."""

    cutter: Cutter
    ignores_missing: bool
    room: int
    left: int

    def cut(self, node: dict[str, Any], field_map: Mapping[str, Any]) -> None:
        """Cut the texts that a field map names in an object and below it."""
        for name, target in field_map.items():
            value = node.get(name)
            if isinstance(target, Mapping):
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, dict):
                        self.cut(one, target)
            elif value is not None or not self.ignores_missing:
                texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
                # A text of blanks has no passages; within a list it is cut like any other.
                wanted = texts if isinstance(value, list) or (texts and texts[0].strip()) else []
                node[str(target)] = [passage for text in wanted if text for passage in self._passages(text)]

    def _passages(self, text: str) -> list[str]:
        found = self.cutter.cut(text, self.room, self.left)
        self.left -= 1
        self.room -= len(found)
        return found


def _count(node: Any, field_map: Mapping[str, Any]) -> int:
    """Return how many texts there are to cut."""
    count = 0
    for name, target in field_map.items():
        value = node.get(name)
        if isinstance(target, Mapping):
            objects = value if isinstance(value, list) else [value]
            count += sum(_count(one, target) for one in objects if isinstance(one, dict))
        else:
            count += sum(bool(text) for text in (value if isinstance(value, list) else [value]))
    return count
