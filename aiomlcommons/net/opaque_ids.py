"""The ids by which the server's logs name calls (``x-opaque-id``): a counter that begins at a random number."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

_SIZE = 8


def _numbers() -> Iterator[int]:
    return itertools.count(int.from_bytes(os.urandom(_SIZE), "big"))


_counter = _numbers()


def new_opaque_id() -> str:
    """Return the id of a call. No other one of this process has it, and none of another one either, but by a freak.

    Random digits for each call would cost a system call.
    """
    return f"aiomlcommons-{next(_counter) % 256**_SIZE:0{2 * _SIZE}x}"


def _begin_anew() -> None:
    global _counter
    _counter = _numbers()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)
