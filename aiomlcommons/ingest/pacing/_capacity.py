"""Control law of the AIMD concurrency limiter: decrease on refusals, and a latency probe (compare TCP Vegas).

A refusal lowers the limit multiplicatively; the way back is that of TCP BIC. A server that queues requests instead of
refusing them is recognised by its latency, and Little's law gives the concurrency that it really works at.
"""

from __future__ import annotations

import math

import attrs

from aiomlcommons.ingest.pacing._sample import Sample

# Multiplicative decrease on a refusal: gentle, because a refused batch costs little and is sent again.
DECREASE = 0.85
# The limit of a probe, as a share of the requests in flight before it: enough less to show in the latency.
PROBE = 0.6
# Requests allowed beyond the server's concurrency, or its square root if that is more, to keep it busy through jitter.
HEADROOM = 4.0
# Queue lengths, in units of the headroom, up to which the limit grows and above which it is probed: Vegas' alpha, beta.
SHORT_QUEUE, LONG_QUEUE = 0.5, 2.0
# Standard errors by which latency must exceed its base for a probe: less may be chance.
SIGNIFICANT = 3.0
# A sample is sized to bring the relative standard error of its mean latency to a quarter, within bounds.
TARGET_ERROR, MIN_SAMPLE, MAX_SAMPLE = 0.25, 6, 64
# Weight of a new sample in the moving average of the base latency.
BASE_WEIGHT = 0.25
# A limit that does not grow is probed after so many samples, even if its queue is not too long.
SOON, SELDOM = 8, 100


@attrs.define
class Capacity:
    """An adaptive limit between ``least`` and ``most`` requests that follows the capacity of a server.

    Slow start doubles it in each round trip until the first refusal. A refusal takes 15 % off, once for all requests
    that were in flight together; then half of the loss comes back in each round trip, and after that the limit goes
    beyond it by 1, 3, 9 requests. Once latency is above its base by more than chance, a probe lowers the limit for one
    sample. Latency that falls in proportion means a queue; latency that stays means a slower server. The new limit is
    the server's concurrency by Little's law, plus headroom.
    """

    limit: float
    least: int
    most: int
    _refused_at: float = 0.0
    _decreased_at: float = -math.inf
    _base_latency: float = math.inf
    _may_grow: bool = True
    _sample: Sample = attrs.field(factory=lambda: Sample(MIN_SAMPLE))
    _sample_size: int = MIN_SAMPLE
    # A sample of an earlier epoch began under another limit, and is discarded.
    _epoch: int = 0
    _before_probe: Sample | None = None
    _probe_due: int = SELDOM

    def begin(self) -> Sample:
        """Return the sample that a new request belongs to; pass it to ``end`` when the request has ended."""
        if self._sample.begun >= self._sample.size or self._sample.epoch != self._epoch:
            self._sample = Sample(max(self._sample_size, int(self.limit)), self._epoch)
        self._sample.begun += 1
        return self._sample

    def end(self, sample: Sample) -> None:
        """Count a request that has ended, successfully or not; evaluate its sample when that is complete."""
        sample.ended += 1
        if sample.ended < sample.size or sample.epoch != self._epoch or not sample.succeeded:
            return
        if self._before_probe is None:
            self._evaluate(sample)
        else:
            self._finish_probe(self._before_probe, sample)

    def grow(self) -> None:
        """Raise the limit for a request that succeeded while all of the limit was in use."""
        if self._may_grow:
            missing = self._refused_at - self.limit
            # At a low limit one more in each round trip would mean many refusals.
            step = max(min(1.0, self.limit / 8), missing / 2, -2 * missing)
            self._set(self.limit + min(step / self.limit, 1.0))

    def refuse(self, started: float, now: float) -> None:
        """Lower the limit for a request that was sent at ``started`` and refused, once for each round trip."""
        if started > self._decreased_at:
            self._decreased_at, self._refused_at = now, self.limit
            self._set(self.limit * DECREASE)

    def _evaluate(self, sample: Sample) -> None:
        """Estimate the queue from the latency above its base, as TCP Vegas does; allow growth, or begin a probe."""
        self._sample_size = min(MAX_SAMPLE, max(MIN_SAMPLE, int((sample.deviation / TARGET_ERROR) ** 2)))
        if self._base_latency == math.inf or int(self.limit) == self.least:
            self._base_latency = sample.latency
        increase = sample.latency / self._base_latency - 1
        error = sample.deviation * math.sqrt(2 / sample.succeeded)
        queue = sample.in_flight * increase / (1 + increase) / _headroom(sample.in_flight)
        self._may_grow = queue <= SHORT_QUEUE or increase <= error
        self._probe_due -= 1
        if self._may_grow:
            self._base_latency += (sample.latency - self._base_latency) * BASE_WEIGHT
        elif self._probe_due <= 0 or (queue > LONG_QUEUE and increase > SIGNIFICANT * error):
            self._before_probe = sample
            self._change(sample.in_flight * PROBE)

    def _finish_probe(self, before: Sample, probe: Sample) -> None:
        """Set the limit from the latencies before and during the probe."""
        concurrency = before.in_flight * probe.latency / before.latency
        if concurrency > 1.2 * probe.in_flight or int(self.limit) == self.least:
            # Fewer requests were hardly faster, so that none was queued: the server has become slower. If that happened
            # during the probe, the estimate is too high, hence the bound and an early second probe.
            self._probe_due = SELDOM if probe.latency < 1.5 * self._base_latency else SOON
            concurrency, self._base_latency = min(concurrency, before.in_flight), probe.latency
        else:
            # These were queued too, so that the base can only be lower than their latency.
            self._base_latency, self._probe_due = min(self._base_latency, probe.latency), SOON
            concurrency = probe.in_flight * self._base_latency / probe.latency
        self._before_probe = None
        self._change(concurrency + _headroom(concurrency))
        self._refused_at = self.limit / 2  # so that it may double in the next round trip

    def _change(self, limit: float) -> None:
        self._epoch += 1
        self._set(limit)

    def _set(self, limit: float) -> None:
        self.limit = min(max(limit, self.least), self.most)


def _headroom(concurrency: float) -> float:
    return max(HEADROOM, math.sqrt(concurrency))
