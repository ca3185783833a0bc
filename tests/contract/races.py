"""Race conditions of ``ensure``: concurrent callers must end with one model in one group, and none with an error.

    python -m tests.contract.races [URL] [TIMES]

Prints a table of all races, each run TIMES times, on the cluster of URL or ``OPENSEARCH_URL``, else on the emulator.
Callers in processes of their own run this module too, with arguments that say what to ensure.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import os
import sys
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson

from aiomlcommons import ExistingModel, MLCommonsError, RemoteModel, Secret, Session, UrlModel
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.lifecycle.groups import find_groups
from aiomlcommons.lifecycle.spec import Spec
from tests.support.contract.kinds import KINDS, forget, spec_of
from tests.support.contract.servers import Server, allowed, server
from tests.support.file_server import served_file
from tests.support.paths import MODELS

FILE = MODELS / KINDS["dense"].file


@attrs.frozen
class Race:
    """Concurrent callers that ensure a model of a ``kind``, in a ``group`` of its name or in none."""

    kind: str
    group: bool
    callers: int
    processes: bool = False

    def __str__(self) -> str:
        group = "a group" if self.group else "no group"
        return f"{self.kind}, {group}, {self.callers} {'processes' if self.processes else 'in one process'}"


RACES = [
    Race(kind, group, callers, processes)
    for kind, group in itertools.product(("file", "url", "remote", "id"), (True, False))
    for callers, processes in ((2, False), (4, False), (3, True))
]


@attrs.frozen
class Outcome:
    """The result of a race."""

    errors: Sequence[str]
    given: frozenset[str]
    deployed: bool
    models: Sequence[str]
    groups: Sequence[str]

    @property
    def problems(self) -> list[str]:
        """The expectations that do not hold."""
        wrong = list(self.errors)
        if len(self.given) != 1:
            wrong.append(f"the callers were given {len(self.given)} models")
        if not self.deployed:
            wrong.append("not deployed")
        if len(self.models) != 1:
            wrong.append(f"{len(self.models)} models")
        if len(self.groups) != 1:
            wrong.append(f"{len(self.groups)} groups")
        return wrong


def spec(kind: str, name: str, group: str | None, where: str) -> Spec:
    """What is ensured; ``where`` is the URL of a file, or the id of a model."""
    dense = KINDS["dense"]
    match kind:
        case "file":
            return attrs.evolve(spec_of("dense", FILE, name), group=group)
        case "url":
            digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
            return UrlModel(
                url=where, name=name, group=group, model_config=dense.model_config, model_content_hash_value=digest
            )
        case "remote":
            return RemoteModel(name=name, group=group, connector=_connector(name))
    return ExistingModel(model_id=where)


def _connector(name: str) -> CreateConnector:
    predict = ConnectorAction("predict", method="POST", url="http://127.0.0.1:8099/v1/embeddings", request_body="{}")
    return CreateConnector(
        name, version=1, protocol="http", credential={"key": Secret("not a real key")}, actions=[predict]
    )


# ---- one race ------------------------------------------------------------------------------------------------------


async def run(ml: Session, race: Race, name: str, loopback: str = "127.0.0.1") -> Outcome:
    """Run a race, count the models and groups that it left, and remove them."""
    async with _where(ml, race, name, loopback) as where:
        group = name if race.group else None
        if race.processes:
            ends = await _processes(ml.url, race, [race.kind, name, group or "", where])
        else:
            wanted = spec(race.kind, name, group, where)
            ends = await asyncio.gather(*(_ensure(ml, wanted) for _ in range(race.callers)))
    return await _left(ml, name, ends)


@asynccontextmanager
async def _where(ml: Session, race: Race, name: str, loopback: str) -> AsyncGenerator[str]:
    if race.kind == "url":
        async with served_file(FILE, loopback) as url:
            yield url
    elif race.kind == "id":
        group = name if race.group else None
        yield (await ml.models.ensure(spec("file", name, group, ""), deploy=False)).model_id
    else:
        yield ""


async def _ensure(ml: Session, wanted: Spec) -> dict[str, Any]:
    try:
        ensured = await ml.models.ensure(wanted)
    except MLCommonsError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"model_id": ensured.model_id, "deployed": ensured.model.is_deployed}


async def _processes(url: str, race: Race, words: Sequence[str]) -> list[dict[str, Any]]:
    """Run the callers as processes, which start once all of them are ready."""
    command = [sys.executable, "-m", "tests.contract.races", url, "--caller", orjson.dumps(words).decode()]
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    callers = [await asyncio.create_subprocess_exec(*command, **pipes) for _ in range(race.callers)]
    for caller in callers:
        assert caller.stdout
        await caller.stdout.readline()
    answers = await asyncio.gather(*(caller.communicate(b"go\n") for caller in callers))
    return [orjson.loads(out) if out else {"error": "a process ended without a word"} for out, _ in answers]


async def _left(ml: Session, name: str, ends: Sequence[dict[str, Any]]) -> Outcome:
    models = [hit.id async for hit in ml.models.search({"query": {"term": {"name.keyword": name}}})]
    groups = await find_groups(ml, name)
    await forget(ml, name)
    return Outcome(
        errors=[end["error"] for end in ends if "error" in end],
        given=frozenset(end["model_id"] for end in ends if "model_id" in end),
        deployed=all(end.get("deployed", True) for end in ends),
        models=models,
        groups=groups,
    )


# ---- all of them ---------------------------------------------------------------------------------------------------


async def _caller(url: str, kind: str, name: str, group: str, where: str) -> None:
    """Wait for a line on standard input, ensure the model, and print the result."""
    async with Server(url).session() as ml:
        await ml.info()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(orjson.dumps(await _ensure(ml, spec(kind, name, group or None, where))).decode())


async def _table(url: str | None, times: int, only: str) -> int:
    bad = 0
    async with (
        server(url) as found,
        found.session() as ml,
        ml.settings.temporarily(allowed("127.0.0.1"), skip_missing=True),
    ):
        print(f"OpenSearch {(await ml.info()).version.number} at {ml.url}")
        for race in (race for race in RACES if only in str(race)):
            outcomes = [await run(ml, race, f"aiomlcommons race {uuid.uuid4().hex[:12]}") for _ in range(times)]
            problems = [outcome.problems for outcome in outcomes if outcome.problems]
            bad += len(problems)
            print(f"{times - len(problems):>4} of {times}  {race}", *problems, sep="\n            ", flush=True)
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default=os.environ.get("OPENSEARCH_URL"))
    parser.add_argument("times", nargs="?", type=int, default=1)
    parser.add_argument("--only", default="", help="the races whose name holds this")
    parser.add_argument("--caller", type=orjson.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.caller:
        asyncio.run(_caller(given.url, *given.caller))
    else:
        sys.exit(min(1, asyncio.run(_table(given.url, given.times, given.only))))
