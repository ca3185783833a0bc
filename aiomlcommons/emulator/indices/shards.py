"""Shards: which one a document belongs to, and which ones a search looks at."""

from __future__ import annotations

from aiomlcommons.emulator.errors import illegal, refused

# On one node that holds the only copy these make no difference. Those of replicas and chosen nodes would.
COPIES = {"_local", "_primary", "_primary_first"}
MOST_SPLITS = 10
WHOLE = 0xFFFFFFFF


def shard_of(routing: str, count: int) -> int:
    """Return the shard of a document by its routing, which is its id unless it was given another one."""
    if count == 1:
        return 0
    # As many shards as the index could be split into, by steps of two.
    splits = 1 << max(1, MOST_SPLITS - (count - 1).bit_length())
    return _hash(routing.encode("utf-16-le")) % (count * splits) // splits


def _hash(data: bytes) -> int:
    """Return the hash that the server distributes documents by (murmur3, 32 bits), with its sign."""
    found, end = 0, len(data) & ~3
    for at in range(0, end, 4):
        found = _rotated(found ^ _mixed(int.from_bytes(data[at : at + 4], "little")), 13) * 5 + 0xE6546B64 & WHOLE
    if data[end:]:
        found ^= _mixed(int.from_bytes(data[end:], "little"))
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & WHOLE
    found = (found ^ found >> 13) * 0xC2B2AE35 & WHOLE
    found ^= found >> 16
    return found - (1 << 32) if found >> 31 else found


def _mixed(word: int) -> int:
    return _rotated(word * 0xCC9E2D51 & WHOLE, 15) * 0x1B873593 & WHOLE


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & WHOLE


def preferred(preference: str) -> set[int] | None:
    """Return the shards that a preference looks at; None for all. Raises Refused for one that is none.

    A preference that does not begin with an underscore is a word of the caller, which keeps to the same copies.
    """
    if not preference.startswith("_shards:"):
        _check_copies(preference)
        return None
    listed, _, copies = preference.removeprefix("_shards:").partition("|")
    _check_copies(copies)
    return {_number(one) for one in listed.split(",")}


def _check_copies(name: str) -> None:
    if name.startswith("_") and name not in COPIES:
        raise illegal(f"no Preference for [{name}]")


def _number(given: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise refused(400, "number_format_exception", f'For input string: "{given}"') from None
