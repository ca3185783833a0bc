"""An evaluation: each query is sent to each system, and what they find is measured."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import attrs

from aiomlcommons.concurrency import fan_out
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.evaluation import Evaluation, evaluated
from aiomlcommons.evaluating.judgments import Grades, judgments_of
from aiomlcommons.evaluating.queries import queries_of
from aiomlcommons.evaluating.systems import Find, finder
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.telling import Progressing, telling
from aiomlcommons.record import kind_of
from aiomlcommons.searching.request import check_count
from aiomlcommons.spelling import SUGGESTED, some_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class Judged:
    """The queries to send, with their judgments, and how many others there are."""

    texts: Mapping[str, str]
    grades: Mapping[str, Grades]
    without_judgments: int
    without_relevant: int


async def evaluate(
    ml: Client,
    queries: Any,
    judgments: Any,
    systems: Any,
    *,
    k: Any = 10,
    concurrency: int = 8,
    progress: Progressing = False,
) -> Evaluation:
    """Do what ``ml.evaluate`` does, which explains the options."""
    ks = _ks(k)
    _check_number("concurrency", concurrency)
    _check(systems)
    judged = await anyio.to_thread.run_sync(partial(_judged, queries, judgments))
    name = ", ".join(systems)
    async with telling(progress, Progress(phase=Phase.EVALUATING, name=name)) as tell:
        finds = {name: await finder(ml, name, system, max(ks)) for name, system in systems.items()}
        runs = _Runs(finds, judged.texts)
        tell.watch(
            lambda: Progress(phase=Phase.EVALUATING, name=name, done=runs.done, total=runs.total, unit="searches")
        )
        await runs.run(concurrency)
    return await anyio.to_thread.run_sync(partial(_evaluated, ks, judged, runs))


def _evaluated(ks: Sequence[int], judged: Judged, runs: _Runs) -> Evaluation:
    return evaluated(
        ks,
        judged.texts,
        judged.grades,
        runs.found,
        runs.seconds,
        without_judgments=judged.without_judgments,
        without_relevant=judged.without_relevant,
    )


class _Runs:
    """The searches of all systems: what they found for each query, and in how many seconds."""

    def __init__(self, finds: Mapping[str, Find], texts: Mapping[str, str]) -> None:
        self._finds, self._texts = finds, texts
        self.found: dict[str, dict[str, list[str]]] = {name: {} for name in finds}
        self.seconds: dict[str, list[float]] = {name: [] for name in finds}
        self.done, self.total = 0, len(finds) * len(texts)

    async def run(self, concurrency: int) -> None:
        """Send each query to each system, at most so many at once; an error ends all."""
        async with fan_out(self._find, self._searches(), concurrency=concurrency, ordered=False) as results:
            async for _ in results:
                self.done += 1

    def _searches(self) -> Generator[tuple[str, str]]:
        # Query by query, so that what slows the cluster down meanwhile slows all systems alike.
        for key in self._texts:
            for name in self._finds:
                yield name, key

    async def _find(self, search: tuple[str, str]) -> None:
        name, key = search
        began = time.perf_counter()
        try:
            self.found[name][key] = await self._finds[name](key, self._texts[key])
        except Exception as error:
            error.add_note(f"in the search of {name} for the query {key!r}")
            raise
        self.seconds[name].append(time.perf_counter() - began)


def _judged(queries: Any, judgments: Any) -> Judged:
    """Return the queries that say something: those for which a document is known to be relevant."""
    texts, grades = queries_of(queries), judgments_of(judgments)
    with_judgments = {key: text for key, text in texts.items() if key in grades}
    if not with_judgments:
        raise InvalidRequest(
            f"no query has a judgment: the ids of the queries are {some_of(map(repr, texts), SUGGESTED)}, those of the "
            f"judgments {some_of(map(repr, grades), SUGGESTED)}"
        )
    chosen = {key: text for key, text in with_judgments.items() if any(grade > 0 for grade in grades[key].values())}
    if not chosen:
        raise InvalidRequest("no query has a relevant document: its grade must be above 0")
    return Judged(chosen, grades, len(texts) - len(with_judgments), len(with_judgments) - len(chosen))


def _ks(k: Any) -> tuple[int, ...]:
    given = [k] if isinstance(k, int) else k
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or not given:
        raise InvalidRequest(f"k must be a whole number of at least 1, or a list of such, not {k!r:.60}")
    for one in given:
        _check_number("k", one)
    return tuple(sorted(set(given)))


def _check_number(name: str, value: Any) -> None:
    if value is None:
        raise InvalidRequest(f"{name} must be a whole number of at least 1, not None")
    check_count(name, value, least=1)


def _check(systems: Any) -> None:
    if not isinstance(systems, Mapping) or not systems:
        raise InvalidRequest(
            f"systems must be a mapping from names to what is evaluated, not {kind_of(systems)}: such as "
            '{"old": "docs", "new": Searched("docs-new", model=...)}'
            if not isinstance(systems, Mapping)
            else "systems: there is none"
        )
    for name in systems:
        if not isinstance(name, str) or not name.strip():
            raise InvalidRequest(f"systems: a name must be a text with a word in it, not {name!r:.60}")
