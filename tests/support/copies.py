"""Copies of a value by every way of copying it."""

from __future__ import annotations

import copy
import pickle
from typing import TypeVar

T = TypeVar("T")


def copies(value: T) -> list[T]:
    """Return a shallow copy, a deep copy, and a pickled one."""
    return [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))]  # noqa: S301 - it is our own
