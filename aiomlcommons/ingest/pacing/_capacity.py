"""What a server can do at once, found out from how it answers."""

from __future__ import annotations

import math

import attrs

from aiomlcommons.ingest.pacing._sample import Sample

# What a refusal leaves of the limit: gentle, because a refused batch costs little and is sent again.
DECREASE = 0.85
# What a probe leaves of it: enough less to show in the latency, for two round trips.
PROBE = 0.6
# So many more requests than the server works on, or their root, keep it busy through the ups and downs.
SPARE = 4.0
# A line of so many times that is none, and one that is too long.
NO_LINE, LINE = 0.5, 2.0
# So many standard errors are chance.
CHANCE = 3.0
# A cohort has as many requests as bring the standard error of its mean to a quarter, within bounds.
ERROR, FEWEST, MOST = 0.25, 6, 64
# How much the base takes over from a cohort.
LEARN = 0.25
# A probe is due after so many cohorts, even if the line is not too long.
SOON, SELDOM = 8, 100


@attrs.define
class Capacity:
    """A limit between ``least`` and ``most`` that follows what a server can do.

    It doubles in each round trip until the first sign of too much. A refusal takes 15 % off, once for all requests that
    were under way together; then half of what is missing comes back in each round trip, and after that one more is
    tried, three, nine. Where a server lets requests wait instead, latency tells: once it is above its base by more than
    chance, a probe lowers the limit for a moment. From the latencies at two limits Little's law makes what the server
    works on at once, whether it does less than before or became slower; the new limit is a little more than that.
    """

    limit: float
    least: int
    most: int
    _refused_at: float = 0.0
    _decreased: float = -math.inf
    _base: float = math.inf
    _grows: bool = True
    _cohort: Sample = attrs.field(factory=lambda: Sample(FEWEST))
    _size: int = FEWEST
    # Cohorts of an earlier epoch were begun under another limit, and tell nothing any more.
    _epoch: int = 0
    _before: Sample | None = None
    _due: int = SELDOM

    def begin(self) -> Sample:
        """A request begins; ``end`` is to be told when it is over."""
        if self._cohort.begun >= self._cohort.size or self._cohort.epoch != self._epoch:
            self._cohort = Sample(max(self._size, int(self.limit)), self._epoch)
        self._cohort.begun += 1
        return self._cohort

    def end(self, sample: Sample) -> None:
        """A request is over, whatever came of it."""
        sample.over += 1
        if sample.over < sample.size or sample.epoch != self._epoch or not sample.answered:
            return
        if self._before is None:
            self._judge(sample)
        else:
            self._conclude(self._before, sample)

    def grow(self) -> None:
        """An answer came while the limit was used to the full."""
        if self._grows:
            missing = self._refused_at - self.limit
            # Where few are taken at once, one more in each round trip would mean many refusals.
            step = max(min(1.0, self.limit / 8), missing / 2, -2 * missing)
            self._set(self.limit + min(step / self.limit, 1.0))

    def refuse(self, started: float, now: float) -> None:
        """A request that was sent at ``started`` was refused."""
        if started > self._decreased:
            self._decreased, self._refused_at = now, self.limit
            self._set(self.limit * DECREASE)

    def _judge(self, sample: Sample) -> None:
        """Whether requests wait in line; the base is the latency without one."""
        self._size = min(MOST, max(FEWEST, int((sample.noise / ERROR) ** 2)))
        if self._base == math.inf or int(self.limit) == self.least:
            self._base = sample.latency
        above = sample.latency / self._base - 1
        error = sample.noise * math.sqrt(2 / sample.answered)
        spares = sample.among * above / (1 + above) / _spare(sample.among)
        self._grows = spares <= NO_LINE or above <= error
        self._due -= 1
        if self._grows:
            self._base += (sample.latency - self._base) * LEARN
        elif self._due <= 0 or (spares > LINE and above > CHANCE * error):
            self._before = sample
            self._change(sample.among * PROBE)

    def _conclude(self, before: Sample, now: Sample) -> None:
        """A probe is over: what became of the latency says what the server works on at once."""
        works = before.among * now.latency / before.latency
        if works > 1.2 * now.among or int(self.limit) == self.least:
            # Where the server changed in the middle of a probe, it is mistaken.
            self._due = SELDOM if now.latency < 1.5 * self._base else SOON
            works, self._base = min(works, before.among), now.latency
        else:
            # These waited in line too, so that the base can only be less than their latency.
            self._base, self._due = min(self._base, now.latency), SOON
            works = now.among * self._base / now.latency
        self._before = None
        self._change(works + _spare(works))
        self._refused_at = self.limit / 2  # it may double in the next round trip

    def _change(self, limit: float) -> None:
        self._epoch += 1
        self._set(limit)

    def _set(self, limit: float) -> None:
        self.limit = min(max(limit, self.least), self.most)


def _spare(works: float) -> float:
    return max(SPARE, math.sqrt(works))
