"""Compare the emulator with recordings of real servers: ``python -m tests.emulator.agreement``.

Each supported recorded exchange is replayed to the emulator in order, over a socket. The response must have the
recorded status, error type and reason, and shape: the same keys and types of values. Recorded ids are mapped to the
emulator's as these appear in responses; hosts of the recorder are mapped to local servers.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import orjson
from yarl import URL

from aiomlcommons import emulator
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret
from tests.support import model_server
from tests.support.agreement.indices import index_differences
from tests.support.agreement.left_out import reason_of
from tests.support.agreement.recorded_servers import RecordedServer, by_server
from tests.support.agreement.setup import after_case, before_case, before_file, whole_path, with_true_hash
from tests.support.agreement.setup_neural import before_neural
from tests.support.agreement.setup_samples import after_sample, before_sample
from tests.support.agreement.shape import differences, stream_differences
from tests.support.agreement.stand_ins import FIRST, before_stand_ins
from tests.support.file_server import served_file
from tests.support.paths import MODELS
from tests.wire.recordings import FILES, OURS, Exchange, exchanges

ZIP = MODELS / "tiny-dense.zip"
RECORDED_SHA256 = "4a9ffadd17e9c53df0d6af940a5daf0f83c2b73232de80648200a86f91a39194"
LOOKS = 8
NODE_ID = 22
COUNTED = re.compile(r"\d+/\d[\d.]*[kmg]?b|\[\d+(?::\d+)?\]|(?<=ID: )[\w-]+| Channel Information: .*")
NOBODY = "*auth*"
# In these not only the shape is compared: what became of each write, and which hits were found.
OF_INDICES = {f"opensearch-3.8.0-{name}.jsonl" for name in ("indices", "live", "neural", "pipelines")}
# In these hits were found by models that the emulator has not, so that only their number is compared.
OF_MODELS = {"opensearch-3.8.0-neural.jsonl"}
# How many documents two queries find together depends on how near these are to each other, too.
UNION = "hybrid query"
PROVIDERS = ("127.0.0.1:8090", "127.0.0.1:18091", "127.0.0.1:18192")
# A provider whose vectors are as long as those of the local model beside it.
LONG, LENGTH = "127.0.0.1:8191", 384
USER = BasicAuth("admin", Secret("of the emulator"))
PASSING = {"CREATED", "RUNNING"}
IDS = {"model_id", "task_id", "model_group_id", "connector_id"}
IDS |= {"pit_id", "agent_id", "memory_id", "message_id", "memory_container_id", "session_id", "working_memory_id"}


@attrs.define
class Player:
    """Replays one recording to one emulator. ``names`` maps recorded ids to those of the emulator."""

    url: str
    client: aiohttp.ClientSession
    hosts: Mapping[str, str]
    emulated: emulator.Emulator
    names: dict[str, str] = attrs.field(factory=dict)

    async def play(self, exchange: Exchange, body: bytes | None) -> list[str]:
        """Send a recorded request; return the differences between its response and the recorded one."""
        recorded = exchange.response
        wanted = _state(recorded)
        for _ in range(LOOKS):
            got = await self.send(exchange, body)
            # The recorder polled, and kept only the changes.
            if wanted is None or _state(got) == wanted:
                break
        self._learn(_read(recorded), _read(got))
        return self._compare(exchange, got)

    async def send(self, exchange: Exchange, body: bytes | None) -> HttpResponse:
        """Return the emulator's response to a recorded request."""
        request = exchange.request
        headers = {} if fnmatchcase(exchange.case, NOBODY) else await USER.headers(request)
        path, text = self._translate(whole_path(request)), body
        if body is not None and exchange.whole:
            text = self._translate(body.decode()).encode()
        http = HttpRequest(request.method, path, {}, text, {**request.headers, **headers})
        return await self._send(http, is_silent=_is_silent(exchange.response))

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request of the setup, which must succeed."""
        raw = body if isinstance(body, bytes | None) else orjson.dumps(body)
        headers = {"content-type": "application/json", **await USER.headers(HttpRequest(method, path))}
        got = await self._send(HttpRequest(method, path, {}, raw, headers))
        if got.status >= 400:
            raise AssertionError(f"setting up failed: {method} {path}: {got.text}")
        return got.json()

    async def _send(self, http: HttpRequest, *, is_silent: bool = False) -> HttpResponse:
        url = URL(self.url + http.path, encoded=True)
        async with self.client.request(http.method, url, data=_sent(http.body), headers=http.headers) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return HttpResponse(answer.status, b"" if is_silent else await answer.read(), headers)

    def _translate(self, text: str) -> str:
        for old, new in (self.names | dict(self.hosts)).items():
            text = text.replace(old, new)
        return text

    def _learn(self, recorded: Any, got: Any) -> None:
        """Map ids that occur in the same places."""
        if not isinstance(recorded, Mapping) or not isinstance(got, Mapping):
            return
        for key in IDS & recorded.keys() & got.keys():
            self.names.setdefault(recorded[key], got[key])
        if uuid := _index_uuid(recorded):
            self.names.setdefault(uuid, _index_uuid(got) or uuid)
        for was, now in ((recorded, got), (recorded.get("nodes"), got.get("nodes"))):
            if isinstance(was, Mapping) and isinstance(now, Mapping) and _is_by_node(was) and _is_by_node(now):
                self.names.setdefault(*was, *now)
        if recorded.get("worker_node") and got.get("worker_node"):
            self.names.setdefault(_node(recorded), _node(got))

    def _compare(self, exchange: Exchange, got: HttpResponse) -> list[str]:
        recorded = exchange.response
        if not exchange.answered_whole and got.status == recorded.status:
            return []
        if got.status != recorded.status:
            return [f"status {got.status} {got.text[:200]}, recorded is {recorded.status}"]
        if recorded.content_type == "text/event-stream":
            kind = got.content_type
            return list(stream_differences(recorded.body, got.body)) if kind == recorded.content_type else [kind]
        was, now = _read(recorded), _read(got)
        found = list(differences(was, now, self.names))
        if recorded.status >= 400:
            expected = tuple(map(self._translate, _error(was)))
            if tuple(map(_without_numbers, _error(now))) != tuple(map(_without_numbers, expected)):
                found.append(f"error {_error(now)}, recorded is {expected}")
        if exchange.file in OF_INDICES and not exchange.request.path.startswith(OURS):
            found += index_differences(
                was,
                now,
                lambda words: _without_numbers(self._translate(words)),
                hits=exchange.file not in OF_MODELS,
                total=exchange.case != UNION,
            )
        # How often the recorder saw a task running depends on timing; its final state does not.
        if _state(recorded) not in PASSING and _state(got) != _state(recorded):
            found.append(f"state {_state(got)}, recorded is {_state(recorded)}")
        if got.content_type != recorded.content_type:
            found.append(f"content type {got.content_type!r}, recorded is {recorded.content_type!r}")
        return found


def _index_uuid(body: Mapping[str, Any]) -> str | None:
    """Return the UUID of an index that an error names."""
    error = body.get("error")
    return error.get("index_uuid") if isinstance(error, Mapping) else None


def _is_silent(recorded: HttpResponse) -> bool:
    """Return whether a stream started and sent nothing: its end must not be waited for."""
    return recorded.content_type == "text/event-stream" and not recorded.body


def _sent(body: bytes | None) -> io.BytesIO | None:
    # Large bodies are streamed.
    return None if body is None else io.BytesIO(body)


def _node(task: Mapping[str, Any]) -> str:
    """Return the node of a task, which is a string on old servers."""
    nodes = task["worker_node"]
    return nodes if isinstance(nodes, str) else str(nodes[0])


def _read(response: HttpResponse) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _without_numbers(words: str) -> str:
    """Return an error without what varies: sequence numbers, ports, sizes of memory, and channels that were closed."""
    return COUNTED.sub(lambda found: "" if found[0].startswith(" ") else "[n]", words)


def _is_by_node(body: Mapping[str, Any]) -> bool:
    """Return whether the keys of an object are the ids of nodes."""
    return len(body) == 1 and all(len(key) == NODE_ID for key in body)


def _state(response: HttpResponse) -> str | None:
    body = _read(response)
    found = body.get("state", body.get("model_state")) if isinstance(body, Mapping) else None
    return found if isinstance(found, str) else None


def _error(body: Any) -> tuple[str, str]:
    error = body.get("error", "") if isinstance(body, Mapping) else body
    return (error["type"], error["reason"]) if isinstance(error, Mapping) else ("", str(error))


@asynccontextmanager
async def player(server: RecordedServer) -> AsyncGenerator[Player]:
    """Yield a player with its own emulator, and with stand-ins for the servers of the recorder."""
    emulated = emulator.Emulator(emulator.Cluster(version=server.version, streams=server.streams))
    user = USER.username if server.has_users else None
    async with (
        model_server.serve() as models,
        model_server.serve(dimension=LENGTH) as long_models,
        served_file(ZIP) as zip_url,
        emulated.serve(username=user, password=USER.password.reveal()) as url,
        aiohttp.ClientSession(skip_auto_headers=("content-type",)) as client,
    ):
        hosts = {
            **dict.fromkeys(PROVIDERS, URL(models).authority),
            LONG: URL(long_models).authority,
            "localhost:8090": f"localhost:{URL(models).port}",
            "localhost:8092/tiny.zip": zip_url.removeprefix("http://"),
            "127.0.0.1:38613/tiny-dense.zip": zip_url.removeprefix("http://"),
            "localhost:8092": URL(zip_url).authority,
            # Nothing listens on port 1.
            "localhost:8091": "localhost:1",
            "localhost/127.0.0.1:8091": "localhost/127.0.0.1:1",
        }
        # The recorder's model file is not in the repository: another one replaces it.
        yield Player(url, client, hosts, emulated, {RECORDED_SHA256: sha256(ZIP.read_bytes()).hexdigest()})


@attrs.define
class Agreement:
    """The results of replaying recordings."""

    supported: int = 0
    disagreements: list[str] = attrs.field(factory=list)
    left_out: Counter[str] = attrs.field(factory=Counter)

    async def play(self, file: Path) -> None:
        """Replay the exchanges of a file, those of each recorded server to its own emulator."""
        for server, rows in by_server(exchanges([file])).items():
            async with player(server) as playing:
                await before_file(playing, file.name, server)
                for exchange in (row for row in rows if row.case in FIRST):
                    await before_stand_ins(playing, exchange)
                for exchange in rows:
                    await self._play(playing, exchange, rows)

    async def _play(self, playing: Player, exchange: Exchange, rows: list[Exchange]) -> None:
        if reason := reason_of(exchange):
            self.left_out[reason] += 1
            return
        await before_case(playing, exchange)
        await before_stand_ins(playing, exchange)
        await before_sample(playing, exchange)
        await before_neural(playing, exchange, rows)
        found = await playing.play(exchange, with_true_hash(exchange, rows))
        await after_sample(playing, exchange)
        await after_case(playing, exchange, rows)
        self.supported += 1
        if found:
            self.disagreements.append(f"{exchange}\n       " + "\n       ".join(found))

    def __str__(self) -> str:
        left_out = [f"left out {count}: {reason}" for reason, count in self.left_out.most_common()]
        same = self.supported - len(self.disagreements)
        totals = f"supported requests {self.supported}, same status and shape {same}"
        return "\n".join([*(f"DIFFERS {text}" for text in self.disagreements), *left_out, totals])


async def play_all() -> Agreement:
    """Replay every recording."""
    agreement = Agreement()
    for file in FILES:
        await agreement.play(file)
    return agreement


def main() -> int:
    """Print each disagreement, what is left out, and the counts."""
    agreement = asyncio.run(play_all())
    print(agreement)
    return 1 if agreement.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
