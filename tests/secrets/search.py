"""The whole search: every scene, with all that is logged, recorded in spans, warned of and told to the loop."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

from aiomlcommons.net.sparing import Sparing
from tests.secrets import commands, diagnoses, frameworks, hub, jobs, records, sessions
from tests.secrets.canaries import Outputs
from tests.secrets.servers import QUOTED
from tests.support.telemetry import recorded

Scene: TypeAlias = Callable[[Outputs, Path], Awaitable[None]]
"""A function that plants canaries, does something with them, and searches what left."""

SCENES: Sequence[Scene] = (
    sessions.sessions_at_failing_servers,
    sessions.sessions_that_give_up,
    sessions.sessions_with_a_client_key,
    sessions.sessions_behind_a_proxy,
    sessions.sessions_with_wrong_arguments,
    records.requests_with_credentials,
    records.connectors_in_a_cluster,
    records.requests_of_wrong_types,
    jobs.jobs_with_credentials,
    hub.models_on_hugging_face,
    frameworks.components_with_credentials,
    diagnoses.diagnoses_of_clusters_with_credentials,
    commands.documents,
    commands.commands,
)


def searched(scenes: Sequence[Scene] = SCENES) -> Outputs:
    """Run scenes, each on an event loop of its own, and return what was searched and found."""
    outputs = Outputs()
    for scene in scenes:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(watched(scene, outputs, Path(folder)))
    return outputs


async def watched(scene: Scene, outputs: Outputs, folder: Path) -> None:
    """Run a scene, and search what is logged at DEBUG by anybody, warned of, recorded, and the loop's errors."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        outputs.add("the event loop's errors", scene.__name__, repr(context))

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle)
    loop.set_debug(True)
    with recorded() as found, _logs(outputs, scene.__name__), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        await scene(outputs, folder)
        for span in found.spans:
            outputs.add("spans", f"{scene.__name__}, {span.name}", span.to_json())
        for name, metric in found.metrics.items():
            outputs.add("metrics", f"{scene.__name__}, {name}", metric.to_json())
    for warning in warned:
        outputs.add("warnings", scene.__name__, f"{warning.message!r} {warning}")


class _Searching(logging.Handler):
    def __init__(self, outputs: Outputs, where: str) -> None:
        super().__init__(logging.DEBUG)
        self._outputs, self._where = outputs, where

    def emit(self, record: logging.LogRecord) -> None:
        # The first two are of the servers that the scenes run. fsspec logs the URLs of files itself, at DEBUG, and the
        # client below huggingface_hub the headers of responses, in which a hub may quote what it was sent.
        if record.name in {"aiohttp.access", "aiohttp.server"} or record.name.startswith(("fsspec", "httpcore")):
            return
        self._outputs.add(f"logs of {record.name.partition('.')[0]}", self._where, self.format(record))
        self._outputs.add("arguments of logs", self._where, repr(record.args))
        self._outputs.add("attributes of logs", self._where, repr(vars(record)))


def _say(_: Sparing, level: int, kind: Any, words: str, *values: Any, more: str | None, **how: Any) -> None:
    """Write every line, and the name of its kind, where else most are counted only."""
    log = logging.getLogger("aiomlcommons")
    log.log(level, words, *values, extra=how.get("extra"))
    log.log(level, "%s: %d more in %.0f s", more, 1, 1.0)


@contextmanager
def _logs(outputs: Outputs, where: str) -> Generator[None]:
    root, handler = logging.getLogger(), _Searching(outputs, where)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with mock.patch.object(Sparing, "say", _say):
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def report(outputs: Outputs) -> str:
    """Return the table of places and outputs, and every leak."""
    planted, found = outputs.canaries.planted, defaultdict(set)
    for leak in outputs.leaks:
        found[leak.place].add(f"{leak.output} ({leak.where})")
    quoted = len(outputs.canaries.places_in("".join(QUOTED)))
    lines = [f"{len(planted)} canaries planted, {quoted} of them quoted by a server, found outside: {len(found)}", ""]
    lines.append("planted in:")
    for place in planted:
        lines += [f"  {place}", *(f"    FOUND in {one}" for one in sorted(found[place])[:5])]
    lines += ["", f"searched: {sum(outputs.searched.values()):,} outputs"]
    lines += [f"  {count:>8,}  {kind}" for kind, count in sorted(outputs.searched.items())]
    return "\n".join(lines)
