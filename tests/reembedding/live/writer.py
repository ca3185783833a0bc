"""A writer: ``python -m tests.reembedding.live.writer URL ALIAS LEDGER DOCUMENTS RATE SEED [--retry]``.

It replaces, adds and deletes documents through an alias, RATE a second, until it gets SIGTERM, and writes what it was
told into a ledger. A fifth of its writes are to twenty documents, so that these change again and again within a moment.
It sends nothing twice, but with ``--retry`` what is refused by a block: that is what a program must do while writes are
frozen.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import orjson

from aiomlcommons import ApiError, MLCommonsError, Session
from tests.reembedding.live.ledger import Entry, Writing
from tests.reembedding.live.words import text_of

WORKERS, HOT = 8, 20
PAUSE = 0.02
BLOCKED = 403


@attrs.define
class Writes:
    """The writes of a writer, which knows what it has written: ids, numbers, and whether a document is deleted."""

    documents: int
    chance: random.Random
    numbers: Counter[str] = attrs.field(factory=Counter)
    gone: set[str] = attrs.field(factory=set)

    def __iter__(self) -> Iterator[tuple[str, int, bool]]:
        while True:
            key, kind = self._some(), self.chance.random()
            if kind < 0.2:
                key, self.documents = f"d{self.documents}", self.documents + 1
            deletes = kind > 0.8 and key not in self.gone
            self.numbers[key] += 1
            (self.gone.add if deletes else self.gone.discard)(key)
            yield key, self.numbers[key], deletes

    def _some(self) -> str:
        return f"d{self.chance.randrange(HOT if self.chance.random() < 0.2 else self.documents)}"


@attrs.define
class Writer:
    """Sends writes, each worker those of its own documents, so that those of a document keep their order."""

    ml: Session
    alias: str
    ledger: Writing
    retries: bool
    blocked: int = 0

    async def work(self, queue: asyncio.Queue[tuple[str, int, bool]]) -> None:
        """Send the writes of a queue."""
        while True:
            key, number, deletes = await queue.get()
            entry = await self._send(key, number, deletes)
            while self.retries and entry.status == BLOCKED:
                self.blocked += 1
                await asyncio.sleep(PAUSE)
                entry = await self._send(key, number, deletes)
            self.ledger.add(entry)
            queue.task_done()

    async def _send(self, key: str, number: int, deletes: bool) -> Entry:
        body = None if deletes else {"text": text_of(key, number), "n": number}
        method, path = "DELETE" if deletes else "PUT", f"/{self.alias}/_doc/{key}"
        try:
            answer = (await self.ml.request(method, path, body=body, repeatable=False)).json()
        except ApiError as error:
            # A document that is not there is told with the index.
            index = error.body.get("_index", "") if isinstance(error.body, dict) else ""
            return Entry(key, number, deletes, error.status, index, error.type)
        except MLCommonsError as error:
            return Entry(key, number, deletes, 0, "", type(error).__name__)
        return Entry(key, number, deletes, 201, answer["_index"])


async def main(url: str, alias: str, ledger: str, documents: str, rate: str, seed: str, *options: str) -> None:
    """Write until SIGTERM, and print how many writes were sent."""
    ends = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ends.set)
    book, sent = Writing(Path(ledger)), 0
    async with Session(url, retries=0) as ml:
        writer = Writer(ml, alias, book, "--retry" in options)
        queues: list[asyncio.Queue[tuple[str, int, bool]]] = [asyncio.Queue() for _ in range(WORKERS)]
        workers = [asyncio.create_task(writer.work(queue)) for queue in queues]
        begun = asyncio.get_running_loop().time()
        for key, number, deletes in Writes(int(documents), random.Random(int(seed))):  # noqa: S311 - a test
            if ends.is_set():
                break
            queues[hash(key) % WORKERS].put_nowait((key, number, deletes))
            sent += 1
            due = begun + sent / float(rate)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        seconds = asyncio.get_running_loop().time() - begun
        await asyncio.gather(*(queue.join() for queue in queues))
        for worker in workers:
            worker.cancel()
    book.close()
    print(orjson.dumps({"sent": sent, "seconds": round(seconds, 1), "blocked": writer.blocked}).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
