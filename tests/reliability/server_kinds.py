"""Kinds of trouble of a real server, and what a bulk job promises under each, written down before they are tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons import Timeout
from tests.reliability.server_faults import (
    FLOODED,
    Fault,
    cluster_settings,
    controlled,
    deleted,
    flood_stage,
    index_settings,
    provides,
    rate_limit,
    undeployed,
)

GOES_ON = "the job waits and goes on by itself: no good document is lost or a dead letter, and every vector is right"
RESUMES = "the job goes on, or ends with an error that names the reason, and the same call then writes what is missing"
ENDS = "the job ends with an error that names the reason, no document becomes a dead letter, and the same call resumes"
LOCAL, REMOTE, NARROW = "local", "remote", "narrow"
IMPATIENT = Timeout(connect=2, read=2)
# A node looks at its disk every ten seconds.
SLOW = {"requests_per_minute": 200}
PARENT = "indices.breaker.total.limit"
ML = "plugins.ml_commons"


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of trouble, the model that meanwhile embeds, and for how many seconds it lasts once the job feels it.

    ``resumed`` is whether the job may end and be resumed, or None where it has to. ``gone`` is whether there is nothing
    to resume. With ``lasts`` None it lasts until the job has ended. Where ``is_felt`` is False, the job may run through
    it without noticing.
    """

    name: str
    model: str
    fault: Fault
    promise: str = GOES_ON
    lasts: float | None = 2.0
    resumed: bool | None = False
    gone: bool = False
    is_felt: bool = True
    is_restart: bool = False
    how: Mapping[str, Any] = attrs.field(factory=dict)
    timeout: Timeout | None = None


def _on_both(**same: Any) -> list[Kind]:
    return [Kind(**{**same, "name": f"{same['name']}, {model} model"}, model=model) for model in (LOCAL, REMOTE)]


KINDS = [
    *_on_both(
        name="the node is killed (kill -9)", fault=controlled("kill-restart"), promise=RESUMES, lasts=0, is_restart=True
    ),
    *_on_both(name="the node is restarted", fault=controlled("restart"), promise=RESUMES, lasts=0, is_restart=True),
    *_on_both(name="the node hangs (SIGSTOP)", fault=controlled("pause", "resume"), lasts=6, timeout=IMPATIENT),
    # The server asks its own breakers for local models only, and does not register that of native memory.
    Kind(
        name="the heap breaker of ML Commons opens",
        model=LOCAL,
        fault=cluster_settings({f"{ML}.jvm_heap_memory_threshold": 1}),
    ),
    Kind(
        name="the disk breaker of ML Commons opens",
        model=LOCAL,
        fault=cluster_settings({f"{ML}.disk_free_space_threshold": "900000gb"}),
    ),
    *_on_both(
        name="the breaker of requests in flight opens",
        fault=cluster_settings({"network.breaker.inflight_requests.limit": "500b"}),
    ),
    *_on_both(name="the parent breaker opens", fault=cluster_settings({PARENT: "10mb"})),
    *_on_both(name="the disk reaches its flood stage by the watermarks", fault=flood_stage, lasts=5, how=SLOW),
    *_on_both(name="the index is set read-only-allow-delete", fault=index_settings({FLOODED: True})),
    Kind(
        name="the disk stays full for longer than the stall timeout",
        model=LOCAL,
        fault=index_settings({FLOODED: True}),
        promise=ENDS,
        lasts=None,
        resumed=None,
        how={"stall_timeout": 6.0},
    ),
    Kind(
        name="the index is closed for writes by hand (403)",
        model=LOCAL,
        fault=index_settings({"index.blocks.write": True}),
        promise=ENDS,
        lasts=None,
        resumed=None,
    ),
    Kind(
        name="shards are not available (a second copy is wanted, 503 after a minute)",
        model=LOCAL,
        fault=index_settings({"index.write.wait_for_active_shards": "2", "index.number_of_replicas": 1}),
    ),
    *_on_both(name="the model has a rate limit (429)", fault=rate_limit, lasts=8),
    *_on_both(name="the model is undeployed", fault=undeployed),
    Kind(
        name="the only connection of a connector is busy (pool exhausted)",
        model=NARROW,
        fault=provides(seconds=3.0),
        lasts=5,
        how={"concurrency": 16},
    ),
    Kind(name="the provider throttles (429)", model=REMOTE, fault=provides(status=429)),
    Kind(name="the provider is broken (500)", model=REMOTE, fault=provides(status=500)),
    Kind(name="the provider is down (503)", model=REMOTE, fault=provides(status=503)),
    Kind(name="the provider answers slowly", model=REMOTE, fault=provides(seconds=2.0), lasts=4, is_felt=False),
    Kind(
        name="the index is deleted",
        model=LOCAL,
        fault=deleted,
        promise="the job ends with an error that says so; what another index of the name got does not count as written",
        lasts=None,
        gone=True,
    ),
]
