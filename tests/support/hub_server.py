"""A Hugging Face Hub on this machine: what huggingface_hub asks of it to list and to download the files of a model."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import attrs
import huggingface_hub
from aiohttp import web

from tests.support.paths import MODELS
from tests.support.serving import serving

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
LARGE = 1_000
"""Files of more bytes are kept elsewhere, as by Git LFS: the Hub redirects to them, with a signature in the query."""


@attrs.frozen
class Repository:
    """The files of a repository by revision; with a ``token`` it is private, and it may be gated for others."""

    files: Mapping[str, Mapping[str, bytes]]
    token: str | None = None
    gated: bool = False


@attrs.define
class HubServer:
    """A hub with its repositories, and what it was asked: ``GET /api/models/a/b``, with its headers.

    ``hold`` stops a download of a large file in its middle until it is set. ``broken`` is a status that every request
    is answered with, in words that quote the token. ``named`` are headers that replace those of each file,
    and ``commit`` is what the repository names as its commit.
    """

    repositories: dict[str, Repository] = attrs.field(factory=dict)
    url: str = ""
    asked: list[str] = attrs.field(factory=list)
    headers: list[Mapping[str, str]] = attrs.field(factory=list)
    hold: asyncio.Event | None = None
    held: asyncio.Event = attrs.field(factory=asyncio.Event)
    broken: int | None = None
    named: Mapping[str, str] = attrs.field(factory=dict)
    commit: str | None = None

    def add(self, repo_id: str, files: Mapping[str, bytes], **options: Any) -> None:
        """Add a repository with one revision."""
        self.repositories[repo_id] = Repository({"main": files}, **options)

    def downloads(self) -> list[str]:
        """Return the files that were downloaded."""
        return [
            line.partition("/resolve/")[2].partition("/")[2]
            for line in self.asked
            if line.startswith("GET /") and "/resolve/" in line
        ]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/api/models/{owner}/{name}", self._info)
        app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._info)
        app.router.add_get("/{owner}/{name}/resolve/{revision}/{file:.+}", self._file)
        app.router.add_get("/cdn/{sha}", self._large)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.headers.append(request.headers)
        if self.broken is not None:
            # As bad gateways do.
            quoted = f"refused: {request.headers.get('authorization')}"
            return web.Response(status=self.broken, text=quoted, headers={"X-Error-Message": quoted})
        response: web.StreamResponse = await handler(request)
        return response

    def _files(self, request: web.Request) -> tuple[str, Mapping[str, bytes]]:
        owner, name = request.match_info["owner"], request.match_info["name"]
        found = self.repositories.get(f"{owner}/{name}")
        allowed = (
            found is None or found.token is None or request.headers.get("authorization") == f"Bearer {found.token}"
        )
        if found is None or not (allowed or found.gated):
            raise _refused(web.HTTPUnauthorized, "RepoNotFound", "Repository not found")
        if not allowed:
            raise _refused(web.HTTPForbidden, "GatedRepo", "Access to this model is restricted")
        wanted = request.match_info.get("revision", "main")
        revision = next((name for name, sha in COMMITS.items() if wanted in {name, sha}), wanted)
        if revision not in found.files:
            raise _refused(web.HTTPNotFound, "RevisionNotFound", f"Invalid rev id: {revision}")
        return COMMITS[revision], found.files[revision]

    async def _info(self, request: web.Request) -> web.Response:
        commit, files = self._files(request)
        commit = self.commit or commit
        siblings = [{"rfilename": name, "size": len(data), "blobId": _sha(data)} for name, data in files.items()]
        return web.json_response({"id": "x", "modelId": "x", "sha": commit, "siblings": siblings, "tags": []})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        commit, files = self._files(request)
        data = files.get(request.match_info["file"])
        if data is None:
            raise _refused(web.HTTPNotFound, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_sha(data)}"', **self.named}
        if len(data) <= LARGE:
            return web.Response(body=data, headers=headers)
        headers |= {"X-Linked-ETag": f'"{_sha(data)}"', "X-Linked-Size": str(len(data)), **self.named}
        target = f"{self.url.replace('127.0.0.1', 'localhost')}/cdn/{_sha(data)}?X-Amz-Signature=s1gned"
        return web.Response(status=302, headers={**headers, "Location": target})

    async def _large(self, request: web.Request) -> web.StreamResponse:
        every = [data for one in self.repositories.values() for files in one.files.values() for data in files.values()]
        data = next(data for data in every if _sha(data) == request.match_info["sha"])
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        if request.method == "GET":
            await response.write(data[: len(data) // 2])
            if self.hold is not None:
                self.held.set()
                await self.hold.wait()
            await response.write(data[len(data) // 2 :])
        return response


def dense_repository() -> dict[str, bytes]:
    """A real tiny model, with the files of sentence-transformers around it."""
    with zipfile.ZipFile(MODELS / "tiny-dense.zip") as archive:
        model, tokenizer = archive.read("dense.pt"), archive.read("tokenizer.json")
    kinds = {"0": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    described = {
        "config.json": {"model_type": "bert", "hidden_size": 16},
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 128},
        "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
    }
    written = {name: json.dumps(content).encode() for name, content in described.items()}
    return {"traced/dense.pt": model, "tokenizer.json": tokenizer, "README.md": b"hello", **written}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(kind: type[web.HTTPError], code: str, message: str) -> web.HTTPError:
    return kind(headers={"X-Error-Code": code, "X-Error-Message": message}, text=message)


@asynccontextmanager
async def hub_server() -> AsyncGenerator[HubServer]:
    """Serve a hub over a socket of this machine."""
    hub = HubServer()
    async with serving(hub.app()) as hub.url:
        try:
            yield hub
        finally:
            # Its connections stay open until the process ends.
            await anyio.to_thread.run_sync(huggingface_hub.close_session)
