"""Control law of the concurrency limiter: raise the limit while throughput grows with it, and no further.

The knee of a server is the number of requests that it works at once; more of them only wait. It is found by comparing
two rounds of requests under different limits, the base and a trial. By Little's law the throughput of a round is its
limit divided by its latency. A larger limit with the same latency is served at once, so the knee is there or beyond;
if latency grew in proportion, all of the additional requests waited. Between the two, the knee is the throughput of
the larger limit times the latency of the smaller (compare the bandwidth-delay product of TCP BBR).
"""

from __future__ import annotations

import math

import attrs

from aiomlcommons.ingest.pacing._sample import Sample

# Shares of the additional requests of a trial that were served at once: below the first they were not worth it, above
# the second all were.
POOR, GOOD = 0.3, 0.7
# Length of a trial, as a share of the limit, but one request at least. A trial that was good is followed by one of
# twice the limit, or half of it.
STEP = 0.25
# After trials that were refused, the next one is shorter: by half for each, up to so many.
MOST_HALVED = 3
# Rounds between two trials of more requests: what is too many only waits for a moment.
PAUSE = 4
# The same for fewer, which may leave the server idle: at first, and quadrupled after each that brought nothing.
SOON, SELDOM = 4, 128
# A change of the latency under the same limit that is taken for one of the server: so much, and standard errors.
CHANGE, SIGNIFICANT = 1.25, 3.0
# A round is sized to bring the standard error of the share of a trial to so much, within bounds.
PRECISION, MIN_ROUND, MAX_ROUND = 0.2, 6, 64
# Few requests at once take long to become many: a round takes at most so many round trips, if that is not too short.
ROUND_TRIPS = 4
# The least size of the first round after the limit was doubled, or of one of half as many: what it shows is to be seen
# as early as possible.
MIN_GLANCE = 4
# A glance has few requests, and gets the benefit of the doubt: its standard error, up to so much of a share.
DOUBT = 0.15
# Weight of the rounds before, when another one under the same limit is added to them.
MEMORY = 0.5
# The most that refusals of one round trip lower the limit to, as a share of it.
DECREASE = 0.5


@attrs.define
class Capacity:
    """An adaptive limit between ``least`` and ``most`` requests that stays at the knee of a server.

    At the beginning the limit doubles in each round trip while latency stays as it is (slow start); then it rests at
    the knee. Every 4 to 16 rounds, or if latency has fallen, it tries a quarter more: if these are served at once it
    doubles again. Every 4 to 64 rounds, or if latency has grown, it tries fewer, and falls while as much gets done.
    A refusal lowers it at once to as many requests as the server has taken.
    """

    limit: int
    least: int
    most: int
    # The limit where it rests, and what was measured there. During a trial ``limit`` is another one.
    _base: int = attrs.field(init=False)
    _here: Sample | None = None
    # A trial, until another round under the base limit was compared with it.
    _trial: Sample | None = None
    _starting: bool = True
    _sample: Sample = attrs.field(init=False)
    _until_more: int = PAUSE
    _until_fewer: int = 1
    _pause_fewer: int = 1
    # Whether latency grew since the last trial.
    _slower: bool = False
    # Trials of more requests that were refused, in a row.
    _refused: int = 0
    _decreased_at: float = -math.inf
    _floor: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._base = self.limit
        self._sample = Sample(max(MIN_GLANCE, self.limit), self.limit)

    # ---- for each request -------------------------------------------------------------------------------------------

    def begin(self, count: int = 1) -> Sample:
        """Return the sample of a new request, which has ``count`` permits; pass it to ``end`` when that has ended."""
        sample = self._sample
        if sample.begun >= sample.size:
            sample = self._sample = Sample(self._size(), self.limit, sample.epoch, more=sample.more)
        sample.begun += count
        sample.size = max(sample.size, sample.begun)
        return sample

    def end(self, sample: Sample, count: int = 1) -> None:
        """Count a request that has ended, successfully or not; evaluate its sample when that is complete."""
        sample.ended += count
        # What began under another limit tells nothing about this one.
        if sample.ended >= sample.size and sample.epoch == self._sample.epoch:
            self._evaluate(sample)

    def refuse(self, sample: Sample, started: float, now: float, taken: int) -> None:
        """Lower the limit to ``taken``, the other requests in flight, for one sent at ``started`` and refused."""
        if started > self._decreased_at:
            self._decreased_at, self._floor = now, self.limit * DECREASE
        if sample.more:
            # It was sent during a trial, though it may be refused after that: as many as before it had been taken.
            self._refused += self.limit > self._base
            # A server that refuses has no queue, or a short one: fewer would hardly do as much.
            self._pause_fewer = self._until_fewer = SELDOM
            self._rest(self._base, self._here)
        else:
            self._rest(max(self._floor, min(taken, self.limit)), None)

    # ---- for each round ---------------------------------------------------------------------------------------------

    def _evaluate(self, sample: Sample) -> None:
        if not sample.used:
            # There were too few requests to use all of the limit, or they came to nothing.
            self._rest(self._base, self._here)
        elif self._here is None or self.limit == self._base:
            self._rested(sample)
        else:
            self._tried(sample, self._here)

    def _rested(self, sample: Sample) -> None:
        """Compare a round under the base limit with those before it, and decide whether to try another limit."""
        if self._trial is not None and self._here is not None:
            self._here.absorb(sample)
            self._decide(self._trial, self._here)
            return
        change, before = 1.0, self._here
        self._here = sample
        if before is not None:
            change = sample.latency / before.latency
            surely = 1 + max(CHANGE - 1, SIGNIFICANT * _error(before, sample))
            if 1 / surely < change < surely:
                change = 1.0
                before.absorb(sample, MEMORY)
                self._here = before
        self._until_more -= 1
        self._until_fewer -= 1
        if change > 1:
            # Fewer workers, or slower ones? A trial tells, once latency has settled.
            self._slower = True
        elif self._slower:
            self._try(self._base / 2)
        elif self._starting:
            self._starting = False
            self._try(2 * self._base)
        elif (self._until_more <= 0 or change < 1) and self._base < self.most:
            more = (self._step() - 1) / 2 ** min(self._refused, MOST_HALVED)
            self._try(self._base + max(1, self._base * more))
        elif self._until_fewer <= 0:
            self._try(min(self._base - 1, self._base / self._step()))

    def _tried(self, trial: Sample, here: Sample) -> None:
        """Go on at once where a trial of more requests was good; where one was not, look at the base limit again."""
        share, error = self._share(trial, here)
        fewer = trial.limit < self._base
        if not fewer and share >= GOOD - (min(error, DOUBT) if trial.glance else 0.0):
            self._pause_fewer, self._refused = SOON, 0
            self._rest(trial.limit, trial)
            self._try(2 * self._base)
        elif fewer and share > POOR:
            self._decide(trial, here)
        elif not trial.glance:
            # Longer texts look like a queue. So the trial is compared with the rounds before it and after it.
            self._trial = trial
            self._set(self._base)

    def _decide(self, trial: Sample, here: Sample) -> None:
        """Make the knee the base limit, as a trial and the rounds around it tell."""
        share, error = self._share(trial, here)
        fewer = trial.limit < self._base
        if fewer and share <= POOR - error:
            self._pause_fewer = SOON
            self._rest(trial.limit, trial)
            self._try(self._base / 2)
            return
        few, many = sorted((trial.limit, self._base))
        if share >= GOOD or (fewer and share <= POOR):
            knee = many
        else:
            knee = few if share <= POOR else self._within(few + share * (many - few))
        useless = knee == self._base
        if fewer and useless and share > POOR:
            self._pause_fewer = min(4 * self._pause_fewer, SELDOM)
        elif fewer or not useless:
            self._pause_fewer = SOON
        if fewer:
            self._until_fewer = self._pause_fewer
        self._rest(knee, here if useless else None)

    def _share(self, trial: Sample, here: Sample) -> tuple[float, float]:
        """Return which share of the additional requests of a limit was served at once, and its standard error."""
        error = _error(here, trial)
        few, many = (trial, here) if trial.limit < self._base else (here, trial)
        more = abs(trial.limit - self._base) / max(trial.limit, self._base)
        return 1 - (1 - few.latency / many.latency) / more, error / more

    # ---- the limit --------------------------------------------------------------------------------------------------

    def _rest(self, limit: float, here: Sample | None) -> None:
        """Make this the base limit; ``here`` is what was measured under it."""
        base = self._within(limit)
        if base != self._base:
            self._until_fewer = self._pause_fewer
        self._base, self._here, self._trial = base, here, None
        self._until_more, self._slower = PAUSE, False
        self._set(self._base)

    def _try(self, limit: float) -> None:
        """Try another limit for a round."""
        self._set(self._within(limit))

    def _set(self, limit: int) -> None:
        if limit != self.limit:
            glance = limit >= 2 * self._base
            self.limit = limit
            size = max(MIN_GLANCE, limit - self._base) if glance else self._size()
            self._sample = Sample(size, limit, self._sample.epoch + 1, glance, more=limit > self._base)

    def _within(self, limit: float) -> int:
        return round(min(max(limit, self.least), self.most))

    def _step(self) -> float:
        """Return the ratio of limits that rounds of the largest size can tell from each other."""
        deviation = 0.0 if self._here is None else self._here.deviation
        return min(max(1 + STEP, math.exp(deviation * math.sqrt(2 / self._most_of_round()) / PRECISION)), 2.0)

    def _size(self) -> int:
        """Return how many requests a round needs to tell the limits that are compared from each other."""
        deviation = 0.0 if self._here is None else self._here.deviation
        ratio = self.limit / self._base if self.limit != self._base else max(self._step(), 1 + 1 / self._base)
        enough = 2 * (deviation / (PRECISION * math.log(ratio))) ** 2
        least = MIN_GLANCE if self.limit < self._base else MIN_ROUND
        return max(least, self.limit, min(self._most_of_round(), round(enough)))

    def _most_of_round(self) -> int:
        return min(max(MIN_ROUND, ROUND_TRIPS * self._base), MAX_ROUND)


def _error(one: Sample, other: Sample) -> float:
    """Return the standard error of the ratio of two latencies."""
    # The latencies of a glance grow meanwhile.
    deviation = one.deviation if other.glance else max(one.deviation, other.deviation)
    return deviation * math.sqrt(1 / one.succeeded + 1 / other.succeeded)
