"""How sure a mean is: 95 % intervals by the bootstrap, which draws the queries again and again."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]
RESAMPLES = 2_000


def intervals(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return the ends of the interval of the mean of each column; a row is a query. The same values give the same.

    Columns are drawn together: where one is the difference of two others, queries that are hard for both do not count.
    """
    rows = len(values)
    random = np.random.default_rng(0)
    means = np.empty((RESAMPLES, values.shape[1]))
    for number in range(RESAMPLES):
        # How often each query is drawn: a product of matrices, which is faster than to collect the rows.
        drawn = np.bincount(random.integers(0, rows, rows), minlength=rows)
        means[number] = drawn @ values / rows
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high
