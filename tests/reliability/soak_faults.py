"""The faults of a soak, in turns: what is promised under each, and whether everybody works again after it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import attrs
from anyio.to_thread import run_sync

from aiomlcommons import Session
from tests.reliability.indexed_job import until
from tests.reliability.soak_cluster import TROUBLE
from tests.reliability.soak_load import Tally
from tests.reliability.soak_world import World
from tests.support.front_node import Node

NO_CALL_FAILS = "no call that may be repeated fails, since another node answers"
CLEAR = "each call ends with its result or an error of the package in bounded time, and all work again afterwards"
# Operations that are repeated by themselves at another node.
REPEATED = ("calls", "batches", "pages")
# Seconds in which everybody must have succeeded once, after a fault.
RECOVERED = 45.0


@attrs.frozen
class Turn:
    """A kind of fault: what is done, and undone. With ``deploys`` the models are gone after it."""

    name: str
    promise: str
    begin: Callable[[], None] | None = None
    end: Callable[[], None] | None = None
    trouble: str = ""
    deploys: bool = False
    spares_calls: bool = False


@attrs.define
class Faults:
    """Faults in random turns; ``tried`` counts them by name, ``lost`` those whose promise was broken."""

    ml: Session
    world: World
    tally: Tally
    chance: random.Random
    tried: Counter[str] = attrs.field(factory=Counter)
    lost: Counter[str] = attrs.field(factory=Counter)
    now: str = ""

    def turns(self) -> list[Turn]:
        """Return the kinds of faults."""
        node, cluster = self.chance.choice(self.world.nodes), self.world.cluster
        one = partial(Turn, promise=NO_CALL_FAILS, spares_calls=True)
        return [
            one(name="one of three nodes is killed", begin=node.kill, end=node.start),
            one(name="one of three nodes hangs", begin=node.pause, end=node.resume),
            one(name="one of three nodes answers 503", begin=partial(_refusing, node), end=partial(_again, node)),
            Turn("the cluster is killed and started again", CLEAR, cluster.kill, cluster.start, deploys=True),
            Turn("the cluster hangs", CLEAR, cluster.pause, cluster.resume),
            Turn(
                "two of three nodes are killed", CLEAR, partial(_two, self, Node.kill), partial(_two, self, Node.start)
            ),
            *(Turn(f"half of the requests: {name}", CLEAR, trouble=name) for name in TROUBLE),
        ]

    async def run(self, over: anyio.Event, *, pause: float) -> None:
        """Bring about one fault after the other, in an order of chance that leaves none out, until it is over."""
        left: list[str] = []
        while not over.is_set():
            turns = {turn.name: turn for turn in self.turns()}
            if not left:
                left = self.chance.sample(list(turns), len(turns))
            await self._turn(turns[left.pop()], pause)

    async def _turn(self, turn: Turn, pause: float) -> None:
        self.now = turn.name
        failed, wrong = self.tally.failures(REPEATED), len(self.tally.wrong)
        if turn.trouble:
            await self.world.control(self.ml, "trouble", name=turn.trouble)
        elif turn.begin is not None:
            await run_sync(turn.begin)
        await anyio.sleep(self.chance.uniform(1, 2) * pause)
        if turn.trouble:
            await self.world.control(self.ml, "trouble", name="")
        elif turn.end is not None:
            await run_sync(turn.end)
        if turn.deploys:
            await self.world.deploy(self.ml)
        recovered = await self._recovered(("calls", "batches", "streams", "pages"))
        # What had begun during the fault has ended by now.
        lost = turn.spares_calls and self.tally.failures(REPEATED) > failed
        self.tried[turn.name] += 1
        if lost or not recovered or len(self.tally.wrong) > wrong:
            self.lost[turn.name] += 1
            why = "calls failed" if lost else "something is wrong" if recovered else "not everybody works again"
            print(f"  LOST under {turn.name!r}: {why}; {self.tally.wrong[wrong:][:1]}", flush=True)
        self.now = ""
        await anyio.sleep(pause)

    async def _recovered(self, names: Sequence[str]) -> bool:
        """Wait until each of these operations has succeeded three times, and return whether they do in time."""
        before = {name: self.tally.done[name] for name in names}
        return await until(lambda: all(self.tally.done[name] >= before[name] + 3 for name in names), RECOVERED)


def _refusing(node: Node) -> None:
    node.kill()
    node.start(refusing=True)


def _again(node: Node) -> None:
    node.kill()
    node.start()


def _two(faults: Faults, deed: Callable[[Node], None]) -> None:
    for node in faults.world.nodes[:2]:
        deed(node)
