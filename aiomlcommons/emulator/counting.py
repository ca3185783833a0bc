"""Counters and timings of the emulated node since it was started, for statistics and profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from aiomlcommons.api.tasks import TaskType
from aiomlcommons.emulator.errors import Refused

ACTIONS = {
    TaskType.REGISTER_MODEL: "register",
    TaskType.DEPLOY_MODEL: "deploy",
    TaskType.TRAINING: "train",
    TaskType.EXECUTION: "execute",
}
"""The action that a type of task is counted as; others are not counted."""


@attrs.define
class Watched:
    """Durations of a model's predictions in milliseconds: of whole requests, and of inference alone."""

    requests: list[float] = attrs.field(factory=list)
    inferences: list[float] = attrs.field(factory=list)


@attrs.define
class Counts:
    """Requests and failures by algorithm and action, requests by model and action, and the models on the node."""

    requests: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    failures: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    by_model: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    watched: dict[str, Watched] = attrs.field(factory=dict)

    def begun(self, algorithm: str, action: str, model_id: str | None = None) -> None:
        """Count a request."""
        self.requests[algorithm.lower(), action] += 1
        # The server counts actions on a model, but not its registration.
        if model_id is not None and action != "register":
            self.by_model[model_id, action] += 1

    def failed(self, algorithm: str, action: str) -> None:
        """Count a failure."""
        self.failures[algorithm.lower(), action] += 1

    def watch(self, model_id: str) -> Watched:
        """Return the durations of a model, which is profiled from now on."""
        return self.watched.setdefault(model_id, Watched())

    @contextmanager
    def counted(self, algorithm: str, action: str, model_id: str | None = None) -> Iterator[None]:
        """Count a request, and a failure if the block raises Refused."""
        self.begun(algorithm, action, model_id)
        try:
            yield
        except Refused:
            self.failed(algorithm, action)
            raise


@contextmanager
def timed(clock: Callable[[], float], times: list[float], *, refused_too: bool = False) -> Iterator[None]:
    """Record the duration of the block, unless it raises; with ``refused_too`` even then."""
    began = clock()
    done = refused_too
    try:
        yield
        done = True
    finally:
        if done:
            times.append((clock() - began) * 1000)
