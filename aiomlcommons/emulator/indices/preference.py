"""Which shards a search looks at: ``preference``. An index of the emulator has one shard, with the number 0."""

from __future__ import annotations

from aiomlcommons.emulator.errors import illegal, refused

SHARD = 0
# On one node that holds the only copy these make no difference. Those of replicas and chosen nodes would.
COPIES = {"_local", "_primary", "_primary_first"}


def has_shard(preference: str) -> bool:
    """Return whether a preference looks at the shard that there is. Raises Refused for one that is none.

    A preference that does not begin with an underscore is a word of the caller, which keeps to the same copies.
    """
    if not preference.startswith("_shards:"):
        _check_copies(preference)
        return True
    listed, _, copies = preference.removeprefix("_shards:").partition("|")
    _check_copies(copies)
    return SHARD in [_number(one) for one in listed.split(",")]


def _check_copies(name: str) -> None:
    if name.startswith("_") and name not in COPIES:
        raise illegal(f"no Preference for [{name}]")


def _number(given: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise refused(400, "number_format_exception", f'For input string: "{given}"') from None
