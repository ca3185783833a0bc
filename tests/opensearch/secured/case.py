"""A case of the secured cluster: a fault, what the client promises under it, and the trials that show it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import attrs

from tests.support.opensearch.secured import Cluster

# It returns the number of its trials, each of which kept the promise; one that did not is an AssertionError.
Run: TypeAlias = Callable[["Scene"], Awaitable[int]]


@attrs.frozen
class Scene:
    """The cluster, which all cases share, and an empty folder for the files of one of them."""

    cluster: Cluster
    folder: Path


@attrs.frozen
class Case:
    """A kind of fault, the promise of the client, and the function that tries it."""

    fault: str
    promise: str
    run: Run

    @property
    def name(self) -> str:
        """The name of its function, which is also that of its test."""
        return self.run.__name__

    @property
    def module(self) -> str:
        """The path of the module that tries it."""
        return self.run.__module__.replace(".", "/") + ".py"


@attrs.frozen
class Result:
    """How a case went: its trials, or why it failed."""

    case: Case
    trials: int
    seconds: float
    failure: str = ""


def collector() -> tuple[list[Case], Callable[[str, str], Callable[[Run], Run]]]:
    """Return a list of cases, and the decorator of the functions that try them: ``@case(fault, promise)``."""
    cases: list[Case] = []

    def case(fault: str, promise: str) -> Callable[[Run], Run]:
        def collect(run: Run) -> Run:
            cases.append(Case(fault, promise, run))
            return run

        return collect

    return cases, case


async def tried(one: Case, scene: Scene) -> Result:
    """Run a case, and return how it went."""
    began = time.perf_counter()
    try:
        trials = await one.run(scene)
    except Exception:
        return Result(one, 1, time.perf_counter() - began, traceback.format_exc())
    return Result(one, trials, time.perf_counter() - began)
