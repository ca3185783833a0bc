"""Shared by the benchmarks of bulk jobs: an emulator in its own process, and documents."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from aiomlcommons import Session

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
CORPUS = Path(__file__).parent.parent / "examples" / "data" / "kjv-wisdom.jsonl"
Document: TypeAlias = dict[str, Any]


@contextmanager
def emulated() -> Iterator[str]:
    """Yield the URL of an emulator in its own process, so that the client's CPU does not include the model's."""
    command = [sys.executable, "-m", "aiomlcommons", "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.split(" at ")[1].split(";")[0]
        finally:
            process.terminate()


async def deployed(ml: Session) -> str:
    """Return the id of the model, which is deployed if it is not yet."""
    await ml.settings.allow_first_model()
    return (await ml.models.ensure(MODEL)).model_id


def document(number: int) -> Document:
    """Return one of any number of documents; all differ."""
    return {
        "id": f"d{number}",
        "text": f"document {number} tells of {number * 7919 % 10007} and of {number * 31 % 977}",
    }


def documents(count: int) -> Iterator[Document]:
    """Yield the first documents lazily."""
    return map(document, range(count))


def verses() -> list[Document]:
    """Return the verses of the examples: human text."""
    return [orjson.loads(line) for line in CORPUS.read_bytes().splitlines()]


def mixed(count: int) -> Iterator[Document]:
    """Return longer documents: the halves of two verses and a number. Any number of them; all differ."""
    halves = [(words[: len(words) // 2], words[len(words) // 2 :]) for words in (v["text"].split() for v in verses())]
    for number in range(count):
        one, other = halves[number % len(halves)], halves[(number * 7919 + number // len(halves)) % len(halves)]
        yield {"id": f"d{number}", "text": " ".join([*one[0], *other[1], str(number)])}
