"""The ids by which the server's logs name calls (``x-opaque-id``): a counter that begins at a random number."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator


def _numbers() -> Iterator[int]:
    # One of 63 bits, so that what is counted on from it has 16 digits too.
    return itertools.count(int.from_bytes(os.urandom(8), "big") >> 1)


_counter = _numbers()


def new_opaque_id() -> str:
    """Return the id of a call. No other one of this process has it, and none of another one either, but by a freak.

    Random digits for each call would cost a system call.
    """
    return f"aiomlcommons-{next(_counter):016x}"


def _begin_anew() -> None:
    global _counter
    _counter = _numbers()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)
