"""Memory and time of the upload of a 1 GB model, compared with a bare aiohttp loop that sends the same chunks.

    python -m benchmarks.upload [--gigabytes N] [--rounds N]

The file is sparse, so the disk is not measured; the server discards the chunks. Ours reads, hashes and sends several
chunks at once, and reports progress; the bare loops read and send, one chunk at a time or several. Each run is a fresh
process, and the programs take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import aiohttp

from aiomlcommons import Session
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.lifecycle.upload import ModelFile, Upload
from benchmarks.replay.server import replaying

IN_FLIGHT = 4
JSON = {"content-type": "application/json"}


async def ours(url: str, file: Path, sha256: str) -> None:
    """Run the package's upload."""
    async with Session(url) as ml:
        size = (await asyncio.to_thread(file.stat)).st_size
        model = ModelFile(file, size, sha256)
        upload = Upload(ml, "m", model, set(), lambda _: None)
        await upload(IN_FLIGHT)
    if len(upload.uploaded) != model.total_chunks:
        raise SystemExit(f"{len(upload.uploaded)} of {model.total_chunks} chunks were sent")


async def bare(url: str, file: Path, _: str) -> None:
    """Send one chunk after the other."""
    async with aiohttp.ClientSession() as client:
        async for number, chunk in _chunks(file):
            await _post(client, url, number, chunk)


async def bare_at_once(url: str, file: Path, _: str) -> None:
    """Send as many chunks at once as ours, in rounds."""
    async with aiohttp.ClientSession() as client:
        posts: list[asyncio.Task[None]] = []
        async for number, chunk in _chunks(file):
            posts.append(asyncio.create_task(_post(client, url, number, chunk)))
            if len(posts) == IN_FLIGHT:
                await asyncio.gather(*posts)
                posts.clear()
        await asyncio.gather(*posts)


async def _chunks(file: Path) -> AsyncIterator[tuple[int, bytes]]:
    with file.open("rb") as stream:
        number = 0
        while chunk := await asyncio.to_thread(stream.read, CHUNK_SIZE):
            yield number, chunk
            number += 1


async def _post(client: aiohttp.ClientSession, url: str, number: int, chunk: bytes) -> None:
    async with client.post(f"{url}/_plugins/_ml/models/m/upload_chunk/{number}", data=chunk, headers=JSON) as answer:
        answer.raise_for_status()
        await answer.read()


PROGRAMS = {"aiomlcommons": ours, "bare aiohttp": bare, f"bare aiohttp, {IN_FLIGHT} at once": bare_at_once}


def one(name: str, url: str, file: str, sha256: str) -> None:
    """Run one program; print its seconds and its peak memory above the initial one, in MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    asyncio.run(PROGRAMS[name](url, Path(file), sha256))
    seconds = time.perf_counter() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def measure(url: str, file: Path, sha256: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds and MB of each program, in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, runs in found.items():
            command = [sys.executable, "-m", "benchmarks.upload", "--one", name, url, str(file), sha256]
            seconds, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            runs.append((float(seconds), float(peak)))
    return found


def main() -> None:
    """Measure, and print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    size = int(options.gigabytes * 1_000_000_000)
    with tempfile.NamedTemporaryFile() as stream, replaying() as url:
        stream.truncate(size)
        file = Path(stream.name)
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        found = measure(url, file, sha256, options.rounds)
    yardstick = median(seconds for seconds, _ in found["bare aiohttp"])
    print(f"{size:,} bytes in {-(-size // CHUNK_SIZE)} chunks, {options.rounds} rounds")
    for name, runs in found.items():
        seconds, peak = median(s for s, _ in runs), max(p for _, p in runs)
        rate, ratio = size / seconds / 1e6, yardstick / seconds
        print(f"{name:<24} {seconds:6.2f} s  {rate:6,.0f} MB/s  {ratio:5.2f} x bare  peak {peak:4.0f} MB more memory")


if __name__ == "__main__":
    main()
