"""Re-embed an index that is in use, kill the process again and again, and compare each document at the end.

``python -m tests.reembedding.live --documents 20000 --kills 20 [--url URL]`` fills an index with vectors of one model,
on a cluster or an emulator, lets a writer and a searcher work through its alias, and re-embeds it with another model,
in a process that is killed (SIGKILL) at random moments and begun again: while it copies, while it catches up, around
the switch and while it follows the writer (see PHASES). Then each document must be as its last acknowledged write made
it, with the new model's vector of its text, and no search may have failed. Random numbers come from ``--seed``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from aiomlcommons import NotFound, Session
from aiomlcommons.reembedding.state import Phase
from tests.reembedding.live import ledger
from tests.reembedding.live.accounts import Accounts, settle
from tests.reembedding.live.child import REPORT
from tests.reembedding.live.ledger import Expected
from tests.reembedding.live.world import DIMENSION, FIELD, World, fill, server, world
from tests.reliability.ledger import Trials, write

LONGEST = 4.0
"""Seconds that a process works, at most, before it is killed."""
LOOK = 0.02
PHASES: Sequence[Sequence[str]] = ((), (), (Phase.CAUGHT_UP, Phase.CHECKED, Phase.SWITCHED), (Phase.SWITCHED,))
"""For each quarter of the kills the phases that are waited for before."""
FOLLOWED = 3.0
"""Seconds for which the writer writes on after the last kill."""
ENOUGH = 900.0


@attrs.frozen(kw_only=True)
class Trial:
    """What is tried.

    ``freeze`` blocks writes for the last moments, and the writer sends those again. With ``second`` the new vectors
    become a second field of the same index.
    """

    url: str
    documents: int = 20_000
    kills: int = 20
    rate: float = 50.0
    seed: int = 1
    shards: int = 2
    dimension: int = DIMENSION
    freeze: bool = False
    second: bool = False
    prefix: str = "live"
    longest: float = LONGEST
    followed: float = FOLLOWED
    # Seconds between two searches.
    pause: float = 0.0


@attrs.define
class Outcome:
    """What became of a trial: the accounts, what writer and searcher say, and where the process was killed."""

    accounts: Accounts
    writes: dict[str, Any]
    refused: dict[str, int]
    searches: dict[str, Any]
    killed: dict[str, int]
    seconds: float
    report: dict[str, Any]

    @property
    def losses(self) -> list[str]:
        """What was broken, in words; empty if nothing was."""
        found = [
            f"{name}: {value[:10]}" for name, value in attrs.asdict(self.accounts).items() if name != "right" and value
        ]
        failed = [
            f"{name} searches: {self.searches[name]}" for name in ("failed", "too few") if self.searches.get(name)
        ]
        return found + failed


async def started(module: str, *arguments: str, **more: Any) -> Process:
    """Start a module of this package as a process."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.reembedding.live.{module}", *arguments, **more
    )


async def ended(process: Process) -> dict[str, Any]:
    """Ask a writer or a searcher to end, and return what it says."""
    process.terminate()
    said, _ = await asyncio.wait_for(process.communicate(), ENOUGH)
    if process.returncode:
        raise AssertionError(f"a process ended with {process.returncode}: {said!r}")
    found: dict[str, Any] = orjson.loads(said)
    return found


@attrs.define
class Killer:
    """Runs the re-embedding, and kills it as often as wanted."""

    ml: Session
    made: World
    trial: Trial
    arguments: Sequence[str]
    folder: Path
    chance: random.Random
    killed: Counter[str] = attrs.field(factory=Counter)

    async def kill(self, number: int) -> None:
        """Let one process work for a while, and kill it."""
        process, log = await self._begin(number)
        phases = PHASES[min(len(PHASES) - 1, len(PHASES) * number // max(1, self.trial.kills))]
        try:
            await self._reached(process, log, phases)
            await asyncio.wait_for(process.wait(), self.chance.uniform(0, self.trial.longest))
        except TimeoutError:
            process.kill()
            await process.wait()
            self.killed[await self.phase()] += 1
            return
        raise AssertionError(f"the re-embedding ended with {process.returncode}:\n{log.read_text()[-3000:]}")

    async def _reached(self, process: Process, log: Path, phases: Sequence[str]) -> None:
        """Wait until a process works, in one of some phases if there are any, or has ended."""
        while process.returncode is None:
            if log.stat().st_size and (not phases or await self.phase() in phases):
                return
            await asyncio.sleep(LOOK)

    async def phase(self) -> str:
        """Return the phase that the new index tells of."""
        try:
            mappings = (await self.ml.indices.mapping(self.made.target))[self.made.target].mappings
        except NotFound:
            return str(Phase.PLANNED)
        state = mappings.get("_meta", {}).get("aiomlcommons", {}).get("reembedding", {})
        return str(state.get("phase", Phase.PLANNED))

    async def finish(self) -> dict[str, Any]:
        """Let one process work to the end, and return its report."""
        process, log = await self._begin(self.trial.kills)
        if await asyncio.wait_for(process.wait(), ENOUGH):
            raise AssertionError(f"the re-embedding ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        (said,) = [line for line in log.read_text().splitlines() if line.startswith(f"{REPORT} ")]
        report: dict[str, Any] = orjson.loads(said.removeprefix(REPORT))
        return report

    async def _begin(self, number: int) -> tuple[Process, Path]:
        log = self.folder / f"child-{number}.log"
        with log.open("wb") as file:
            return await started("child", *self.arguments, stdout=file, stderr=STDOUT), log


async def run(trial: Trial, folder: Path) -> Outcome:
    """Do a trial."""
    loop, chance = asyncio.get_running_loop(), random.Random(trial.seed)  # noqa: S311 - a test
    async with Session(trial.url) as ml, world(ml, trial.prefix, trial.dimension) as names:
        made = attrs.evolve(names, second=trial.second)
        await fill(ml, made, trial.documents, trial.shards)
        book, stop = folder / "ledger.jsonl", folder / "stop"
        for old in (book, stop):
            old.unlink(missing_ok=True)
        writing = (made.alias, str(book), str(trial.documents), str(trial.rate), str(trial.seed))
        writer = await started("writer", trial.url, *writing, *(["--retry"] if trial.freeze else []), stdout=PIPE)
        searcher = await started(
            "searcher", trial.url, made.alias, FIELD, str(trial.seed), str(trial.pause), stdout=PIPE
        )
        begun = loop.time()
        try:
            options = orjson.dumps({**made.wanted, "freeze": trial.freeze}).decode()
            killer = Killer(ml, made, trial, (trial.url, options, str(stop)), folder, chance)
            for number in range(trial.kills):
                await killer.kill(number)
            finishing = asyncio.create_task(killer.finish())
            await _switched(killer, finishing)
            await asyncio.sleep(trial.followed)
            writes = await ended(writer)
            stop.touch()
            report = await finishing
            seconds, searches = loop.time() - begun, await ended(searcher)
        finally:
            for process in (writer, searcher):
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        expected = Expected.of(trial.documents, ledger.read(book))
        accounts = await settle(ml, made, expected)
    told = {**writes, **expected.counts}
    return Outcome(accounts, told, dict(expected.errors), searches, dict(killer.killed), round(seconds, 1), report)


async def _switched(killer: Killer, finishing: asyncio.Task[Any]) -> None:
    """Wait until queries may ask for the new vectors."""
    while not finishing.done():
        if await killer.phase() == Phase.SWITCHED:
            return
        await asyncio.sleep(LOOK)


def recorded(trial: Trial, outcome: Outcome, against: str) -> tuple[list[Trials], dict[str, str]]:
    """Return the rows and the figures of a trial for the page of reliability."""
    kind = f"{'a second field of ' * trial.second}an index that is written and searched is re-embedded"
    rows = [
        Trials(
            group="re-embedding",
            fault=f'{kind}; SIGKILL in the phase "{phase}", then the same call again',
            promise="each document is as its last acknowledged write made it, with the new model's vector of its text; "
            "no search fails",
            test="tests/reembedding/live/test_live.py",
            against=against,
            trials=count,
            losses=int(bool(outcome.losses)),
        )
        for phase, count in outcome.killed.items()
    ]
    searches = outcome.searches["words"] + outcome.searches["meaning"]
    figures = {
        "documents at the end, each compared": f"{outcome.accounts.right:,} right, {outcome.accounts.wrong:,} wrong",
        "writes acknowledged meanwhile": f"{outcome.writes['written'] + outcome.writes['deleted']:,}",
        "searches through the alias meanwhile": f"{searches:,}, failed {outcome.searches['failed']:,}",
        "seconds from the first search to the last": f"{outcome.seconds:,}",
    }
    return rows, figures


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.reembedding.live", description=__doc__)
    parser.add_argument("--url", help="a cluster; default: an emulator")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the ledger and the logs there")
    parser.add_argument("--write", metavar="NAME", help="write docs/reliability/NAME.json")
    for name, field in attrs.fields_dict(Trial).items():
        if name in {"url", "dimension"}:
            continue
        if field.default is False:
            parser.add_argument(f"--{name}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=type(field.default), default=field.default)
    return parser.parse_args(arguments)


async def main(arguments: Sequence[str] | None = None) -> int:
    """Do a trial, and print what became of it."""
    given = parsed(arguments)
    options = {name: value for name, value in vars(given).items() if name in attrs.fields_dict(Trial)}
    with tempfile.TemporaryDirectory() as folder:
        kept = given.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        async with server(given.url) as there:
            trial = Trial(**{**options, "url": there.url, "dimension": there.dimension})
            outcome = await run(trial, kept)
    if given.write:
        rows, figures = recorded(trial, outcome, there.name)
        size = f"--documents {trial.documents} --kills {trial.kills} --seed {trial.seed}"
        kinds = " --freeze" * trial.freeze + " --second" * trial.second
        url = " --url $OPENSEARCH_URL" if given.url else ""
        write(given.write, f"python -m tests.reembedding.live{url} {size}{kinds}", rows, figures)
    print(orjson.dumps(attrs.asdict(outcome), option=orjson.OPT_INDENT_2).decode())
    print(f"right {outcome.accounts.right:,}; broken: {'; '.join(outcome.losses) or 'nothing'}")
    return 1 if outcome.losses else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
