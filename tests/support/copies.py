"""A value and what it becomes by each way of copying it."""

from __future__ import annotations

import copy
import pickle
from typing import TypeVar

T = TypeVar("T")


def copies(value: T) -> list[T]:
    """A shallow copy, a deep one, and one that went through another process's door."""
    return [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))]  # noqa: S301 - it is our own
