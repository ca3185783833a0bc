"""How large a batch may be: as the job says, and less where the server takes no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs


@attrs.define
class BatchSize:
    """At most ``count`` texts and ``most_bytes`` bytes of text (or one longer text) in a request."""

    count: int = 64
    most_bytes: int = 1_000_000

    def parts(self, texts: Sequence[str]) -> Iterator[slice]:
        """Texts in their order, cut where one request holds no more."""
        first = size = 0
        for i, text in enumerate(texts):
            more = size_of(text)
            if i > first and (i - first >= self.count or size + more > self.most_bytes):
                yield slice(first, i)
                first, size = i, 0
            size += more
        if first < len(texts):
            yield slice(first, len(texts))

    def too_many(self, count: int) -> None:
        """So many texts were refused that are taken in halves."""
        self.count = max(1, min(self.count, (count + 1) // 2))

    def too_large(self, texts: Sequence[str]) -> None:
        """The server said that these are too large together."""
        self.most_bytes = max(1, min(self.most_bytes, sum(map(size_of, texts)) // 2))


def size_of(text: str) -> int:
    """Its bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
