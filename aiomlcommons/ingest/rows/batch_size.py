"""Size limit of a request: as configured, and halved when the server rejects a request as too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

# The most bytes that a character has in UTF-8.
LONGEST = 4


@attrs.define
class BatchSize:
    """The size limit of a request: ``count`` texts and ``most_bytes`` bytes of text, or a single longer text."""

    count: int = 64
    most_bytes: int = 1_000_000

    def parts(self, texts: Sequence[str]) -> Iterator[slice]:
        """Yield slices that split the texts, in order, into requests within the limit."""
        if 0 < len(texts) <= self.count and len("".join(texts)) * LONGEST <= self.most_bytes:
            yield slice(0, len(texts))
            return
        first = size = 0
        for i, text in enumerate(texts):
            text_size = size_of(text)
            if i > first and (i - first >= self.count or size + text_size > self.most_bytes):
                yield slice(first, i)
                first, size = i, 0
            size += text_size
        if first < len(texts):
            yield slice(first, len(texts))

    def too_many(self, count: int) -> None:
        """Lower the count after a batch of ``count`` texts was refused and each half of it succeeded."""
        self.count = max(1, min(self.count, (count + 1) // 2))

    def too_large(self, texts: Sequence[str]) -> None:
        """Lower the bytes after the server rejected these texts as too large together (413)."""
        self.most_bytes = max(1, min(self.most_bytes, sum(map(size_of, texts)) // 2))


def size_of(text: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())
