"""An index as far as versions go: what OpenSearch makes of writes with conditions, without a server.

The rules are those that a real server showed: see ``tests/opensearch/test_rounds.py``, which holds it to them.
"""

from __future__ import annotations

import attrs

from aiomlcommons.reembedding.reading import Found


@attrs.define
class VersionedIndex:
    """An index of one shard. ``forgets`` drops tombstones at once, as a server does after a minute."""

    forgets: bool = False
    docs: dict[str, tuple[Found, str]] = attrs.field(factory=dict)
    tombstones: dict[str, int] = attrs.field(factory=dict)
    _seq_no: int = -1

    def index(self, key: str, text: str, fingerprint: str | None = None) -> Found:
        """Write without a condition, as writers do."""
        return self._put(key, text, self._version(key) + 1, fingerprint)

    def delete(self, key: str) -> None:
        """Delete without a condition."""
        self._seq_no += 1
        version = self._version(key) + 1
        self.docs.pop(key, None)
        if not self.forgets:
            self.tombstones[key] = version

    def copy(self, key: str, text: str, version: int, fingerprint: str | None) -> bool:
        """Write with ``external_gte``; return whether it was written."""
        if version < self._version(key):
            return False
        self._put(key, text, version, fingerprint)
        return True

    def over(self, found: Found, text: str, fingerprint: str | None) -> bool:
        """Write with ``if_seq_no``."""
        if not self.has(found):
            return False
        self.index(found.id, text, fingerprint)
        return True

    def create(self, key: str, text: str, fingerprint: str | None) -> bool:
        """Write with ``create``."""
        if key in self.docs:
            return False
        self.index(key, text, fingerprint)
        return True

    def delete_found(self, found: Found) -> bool:
        """Delete with ``if_seq_no``."""
        if not self.has(found):
            return False
        self.delete(found.id)
        return True

    def drop(self, found: Found, version: int) -> bool:
        """Delete with ``external_gte``."""
        if version < self._version(found.id):
            return False
        self.delete(found.id)
        if not self.forgets:
            self.tombstones[found.id] = version
        return True

    def conflict(self, key: str) -> str:
        """Return the words in which a write of an older version is refused."""
        return f"[{key}]: version conflict, current version [{self._version(key)}] is higher than the one provided [0]"

    def has(self, found: Found) -> bool:
        """Return whether a document is as it was found."""
        return found.id in self.docs and self.docs[found.id][0].seq_no == found.seq_no

    def texts(self) -> dict[str, str]:
        """Return the documents."""
        return {key: text for key, (_, text) in self.docs.items()}

    @property
    def mark(self) -> int:
        """The highest sequence number."""
        return self._seq_no

    def _version(self, key: str) -> int:
        return self.docs[key][0].version if key in self.docs else self.tombstones.get(key, 0)

    def _put(self, key: str, text: str, version: int, fingerprint: str | None) -> Found:
        self._seq_no += 1
        self.tombstones.pop(key, None)
        found = Found(key, self._seq_no, 1, version, None, fingerprint, {"text": text}, 0)
        self.docs[key] = found, text
        return found
