"""How sure a mean is: 95 % intervals by the bootstrap, which draws the queries again and again."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]
RESAMPLES = 1_000
# Rows that are drawn at once: more of them would take more memory, fewer more time.
_DRAWN = 1_000_000


def intervals(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return the ends of the interval of the mean of each column; a row is a query. The same values give the same.

    Columns are drawn together: where one is the difference of two others, queries that are hard for both do not count.
    """
    random = np.random.default_rng(0)
    at_once = max(1, _DRAWN // len(values))
    means = [
        _drawn(random, min(at_once, RESAMPLES - done), len(values)) @ values for done in range(0, RESAMPLES, at_once)
    ]
    low, high = np.quantile(np.concatenate(means) / len(values), [0.025, 0.975], axis=0)
    return low, high


def _drawn(random: np.random.Generator, times: int, rows: int) -> Numbers:
    """Return how often each row is drawn, each of so many times: a product with it is faster than to collect rows."""
    drawn = random.integers(0, rows, (times, rows)) + rows * np.arange(times)[:, None]
    return np.bincount(drawn.ravel(), minlength=times * rows).reshape(times, rows).astype(np.float64)
