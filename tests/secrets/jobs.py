"""Bulk jobs whose source, sink and session have credentials: what they print, and every file that they leave."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import attrs
import orjson
from aiohttp import web

from aiomlcommons import Backoff, MLCommonsError, Progress, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS, Where
from aiomlcommons.ingest import FilesSource, IndexSink, IndexSource, JsonlSource, RemotePath
from aiomlcommons.progress.notebook import HtmlBlock
from tests.secrets.canaries import Outputs
from tests.secrets.servers import quoting
from tests.support.web_files import web_files

ROWS = b"".join(b'{"id": "d%d", "text": "text number %d"}\n' % (n, n) for n in range(60)) + b'{"id": "d99"}\nno JSON\n'
WHERE: tuple[Where, ...] = (PREDICTIONS, lambda http: http.path.endswith("_bulk"))
NOW = Backoff(first=0, cap=0)


@attrs.frozen
class World:
    """An emulator with a user, a session with that user's credentials, and a deployed model."""

    emulator: Emulator
    ml: Session
    model_id: str


@asynccontextmanager
async def _world(outputs: Outputs) -> AsyncGenerator[World]:
    emulator, password = Emulator(), outputs.canaries.plant("password of the session of a job")
    async with emulator.serve(username="admin", password=password) as url:
        async with Session(url, auth=("admin", password), backoff=NOW, retries=1) as ml:
            await ml.settings.allow_first_model()
            ensured = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
            yield World(emulator, ml, ensured.model_id)


async def jobs_with_credentials(outputs: Outputs, folder: Path) -> None:
    """Run jobs from sources with credentials: to the end, to an error, and to an interruption."""
    plant = outputs.canaries.plant
    signature = plant("query of a source's URL: sig")
    options: dict[str, Any] = {
        name: plant(f"RemotePath(storage_options=): {name}") for name in ("key", "secret", "token")
    }
    options["client_kwargs"] = {"aws_session_token": plant("storage_options=, nested")}
    import_module("fsspec").filesystem("memory", **options).pipe("/jobs/a.jsonl", ROWS)
    memory = RemotePath("memory://jobs/a.jsonl", options)
    async with _world(outputs) as world, web_files({"a.jsonl": ROWS}, signature=signature) as served:
        user = plant("user and password of a source's URL")
        me = f"{served.url}/a.jsonl?sig={signature}".replace("://", f"://me:{user}@")
        sources: dict[str, Any] = {
            "memory": memory,
            "several": FilesSource([memory, memory]),
            "web": f"{served.url}/a.jsonl?sig={signature}",
            "web, refused": f"{served.url}/a.jsonl?sig={signature}x",
            "web, missing": me,
            "unknown driver": f"s3x://me:{user}@bucket/a.jsonl?token={signature}",
            "signed": f"{served.url}/none.jsonl?X-Amz-Signature={plant('X-Amz-Signature of a source')}",
        }
        for name, to_file in outputs.some(product(sources, (True, False))):
            sink = folder / f"{name}.out.jsonl" if to_file else IndexSink(world.ml, "made", create=True)
            await _run(outputs, world, f"{name} to {type(sink).__name__}", sources[name], sink, folder)
        outputs.show("IndexSource", IndexSource(world.ml, "made"))
        outputs.show("JsonlSource", JsonlSource(memory))
        await _interrupted(outputs, world, memory, folder)


async def _run(outputs: Outputs, world: World, where: str, source: Any, sink: Any, folder: Path) -> None:
    own: dict[str, Any] = {"checkpoint": folder / f"{where}.checkpoint", "dead_letters": folder / f"{where}.dead"}
    if not isinstance(source, str):
        outputs.show(where, source)
    outputs.show(where, sink)
    try:
        async with world.ml.ingest(
            source,
            model=world.model_id,
            sink=sink,
            cache=folder / f"{where}.cache",
            backoff=NOW,
            batch=8,
            progress=partial(_told, outputs, where),
            **own,
        ) as job:
            outputs.show(where, job)
            report = await job
    except (MLCommonsError, ImportError, OSError) as error:
        outputs.error(where, error)
    else:
        outputs.show(where, report)
        outputs.add("reports as JSON", where, orjson.dumps(attrs.asdict(report)))
    files(outputs, where, folder)


def _told(outputs: Outputs, where: str, progress: Progress) -> None:
    outputs.show(f"progress: {where}", progress)
    outputs.add("HTML of progress", where, HtmlBlock(progress, [progress])._repr_html_())


async def _interrupted(outputs: Outputs, world: World, source: Any, folder: Path) -> None:
    """End jobs by refusals in which the server quotes the credentials, so that checkpoint and dead letters stay."""
    for status, where in outputs.some(product((400, 401, 403, 500), WHERE)):

        async def quotes(request: web.BaseRequest, _: Any, status: int = status) -> web.StreamResponse:
            return await quoting(status)(request)

        world.emulator.faults.clear()
        world.emulator.faults.add(quotes, on=where, times=None, every=2)
        name = f"refused by {status}, {'predictions' if where is PREDICTIONS else 'bulk'}"
        sink = IndexSink(world.ml, f"refused-{status}", create=True, stall_timeout=0.01)
        await _run(outputs, world, name, source, sink, folder)


def files(outputs: Outputs, where: str, folder: Path) -> None:
    """Search every file in a folder, and their names."""
    for path in folder.rglob("*"):
        if path.is_file():
            outputs.add(f"files: {path.suffix or path.name}", where, path.read_bytes())
            outputs.add("names of files", where, str(path))
