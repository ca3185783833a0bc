"""Signed calls of every kind, over a socket, to an emulator that verifies signatures as AWS does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio.to_thread
import attrs
import orjson
import pytest
import pytest_asyncio

from aiomlcommons import AwsAuth, BadRequest, Forbidden, NotFound, Session
from aiomlcommons.api.models import GetModel
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.settings import FIRST_MODEL, MLSettings
from aiomlcommons.emulator import AwsVerifier, Cluster, Emulator
from aiomlcommons.emulator.aws import Received
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest import IndexSink
from aiomlcommons.net import aws
from tests.net.sigv4 import NOW as THEN
from tests.support import model_server
from tests.support.aws_machine import HUSH, Machine, fixed
from tests.support.contract.chat import chat_model
from tests.support.emulated_models import ALLOWED, NOW, announced, deployed

pytestmark = pytest.mark.asyncio
TOKEN = "t0ken"


@attrs.define
class Gateway(AwsVerifier):
    """A verifier that keeps the signatures that it accepted."""

    accepted: list[str] = attrs.field(factory=list)

    def check(self, request: Received) -> None:
        super().check(request)
        self.accepted.append(request.header("authorization") or "")

    @property
    def keys(self) -> list[str]:
        """The access keys of the requests, in their order."""
        return [one.partition("Credential=")[2].partition("/")[0] for one in self.accepted]

    def rotate(self, machine: Machine, old: str, new: str) -> None:
        """Let credentials expire, and write other ones where botocore finds them."""
        self.allow(new, HUSH, TOKEN)
        machine.write(new, token=TOKEN)
        self.expire(old)


@attrs.frozen
class Signed:
    """A session on an emulator that verifies signatures."""

    ml: Session
    emulator: Emulator
    gateway: Gateway
    url: str


@asynccontextmanager
async def signed(machine: Machine, service: Any = "es") -> AsyncGenerator[Signed]:
    machine.write("ASIA1", token=TOKEN)
    gateway = Gateway("eu-west-1", service)
    gateway.allow("ASIA1", HUSH, TOKEN)
    emulator = Emulator(Cluster(version="3.8.0", streams=True), aws=gateway)
    async with emulator.serve() as url:
        auth = AwsAuth("eu-west-1", service)
        # The emulator has everything, whatever a server of Amazon lacks.
        async with Session(url, auth=auth, flavor="opensearch", retries=2, backoff=NOW) as ml:
            await ml.settings.apply(FIRST_MODEL)
            await ml.settings.apply(ALLOWED)
            await ml.settings.apply(MLSettings(stream_enabled=True))
            yield Signed(ml, emulator, gateway, url)


@pytest_asyncio.fixture(params=["es", "aoss"])
async def to(request: pytest.FixtureRequest, machine: Machine) -> AsyncGenerator[Signed]:
    async with signed(machine, request.param) as made:
        yield made


async def test_connecting_is_signed(to: Signed, machine: Machine) -> None:
    ml = await Session.connect(to.url, auth=AwsAuth("eu-west-1", to.gateway.service))  # type: ignore[arg-type]
    await ml.close()


async def test_connecting_fails_where_the_gateway_lets_nothing_through(machine: Machine) -> None:
    async with signed(machine) as to:
        for auth in (None, fixed("AKIAOTHER", HUSH)):
            with pytest.raises(Forbidden):
                await Session.connect(to.url, auth=auth)


@pytest.mark.parametrize("model_id", ["a b", "ä/ö?x=1&y", "..", ",*:/+~%", "100%", "a'b\"c", "\U0001f600"])
async def test_calls_with_odd_ids_are_signed(to: Signed, model_id: str) -> None:
    with pytest.raises(NotFound):
        await to.ml.models.get(model_id)
    with pytest.raises(NotFound):
        await to.ml.raw(GetModel(model_id))


async def test_searches_and_untyped_calls_are_signed(to: Signed) -> None:
    ml = to.ml
    await ml.model_groups.register("a group")
    assert [hit.source async for hit in ml.model_groups.search({"query": {"match": {"name": "a group"}}})]
    assert (await ml.request("GET", "/_cluster/settings?flat_settings=", query={"include_defaults": "true"})).body
    for path, query in [("/_cluster/settings", {"ä,*:/ +~%": "a&b=c"}), ("/_cluster/settings?a,b+c*=1&b=2&b=1", {})]:
        with pytest.raises(BadRequest, match="unrecognized parameter"):  # said behind the signature
            await ml.request("GET", path, query=query)
    made = await ml.request("PUT", "/an-index", body={"mappings": {"properties": {"ä": {"type": "text"}}}})
    assert made.json()["acknowledged"]


async def test_chunks_of_a_model_are_signed(to: Signed) -> None:
    model_id = await announced(to.ml, total=2)
    for number in range(2):
        assert await to.ml.models.upload_chunk(model_id, number, bytes([number]) * (aws.LARGE + number))


async def test_a_job_into_an_index_is_signed(to: Signed) -> None:
    model_id = await deployed(to.ml)
    rows = [{"id": f"ä/{i}", "text": f"text {i}"} for i in range(30)]
    async with to.ml.ingest(
        rows, model=model_id, sink=IndexSink(to.ml, "docs", create=True, backoff=NOW), batch=7, backoff=NOW
    ) as job:
        report = await job
    assert report.written == 30
    found = await to.ml.request("GET", "/docs/_count")
    assert orjson.loads(found.body)["count"] == 30


async def test_streams_are_signed(to: Signed) -> None:
    async with model_server.serve() as url, chat_model(to.ml, "chat", f"{url}/proverb") as model_id:
        asked = {"prompt": "hello", "_llm_interface": "openai/v1/chat/completions"}
        async with to.ml.models.predict_stream(model_id, parameters=asked) as events:
            assert len([words async for words in events]) > 3


async def test_each_attempt_is_signed_anew(to: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = await deployed(to.ml)
    seconds = count()
    to.gateway.clock = lambda: THEN
    monkeypatch.setattr(aws, "timestamp", lambda: f"{THEN:%Y%m%dT%H%M}{next(seconds):02}Z")
    to.emulator.faults.throttle(times=2)
    to.gateway.accepted.clear()
    await to.ml.embed_many(model_id, ["a"])
    assert len(to.gateway.accepted) == len(set(to.gateway.accepted)) == 3


async def test_credentials_that_expire_during_a_job_are_found_again(to: Signed, machine: Machine) -> None:
    model_id = await deployed(to.ml)
    predictions = count()

    async def expiring(_: Any, call_next: Any) -> Any:
        if next(predictions) == 3:
            await anyio.to_thread.run_sync(to.gateway.rotate, machine, "ASIA1", "ASIA2")
        return await call_next()

    to.emulator.faults.add(expiring, on=PREDICTIONS, times=None)
    rows = [{"id": str(i), "text": f"text {i}"} for i in range(40)]
    async with to.ml.ingest(
        rows, model=model_id, sink=IndexSink(to.ml, "docs", create=True, backoff=NOW), batch=4, backoff=NOW
    ) as job:
        report = await job
    assert (report.written, report.failed) == (40, 0)
    assert set(to.gateway.keys) == {"ASIA1", "ASIA2"}
    assert to.gateway.keys[-1] == "ASIA2"


async def test_a_job_whose_credentials_nobody_renews_ends_and_can_be_resumed(to: Signed, machine: Machine) -> None:
    model_id = await deployed(to.ml)
    rows, checkpoint = machine.folder / "rows.jsonl", machine.folder / "job"
    rows.write_bytes(b"".join(orjson.dumps({"id": str(i), "text": f"text {i}"}) + b"\n" for i in range(40)))
    predictions = count()

    async def expiring(_: Any, call_next: Any) -> Any:
        if next(predictions) == 3:
            to.gateway.expire("ASIA1")
        return await call_next()

    def job() -> Any:
        sink = IndexSink(to.ml, "docs", create=True, backoff=NOW)
        return to.ml.ingest(rows, model=model_id, sink=sink, batch=4, checkpoint=checkpoint)

    to.emulator.faults.add(expiring, on=PREDICTIONS, times=None)
    with pytest.raises(Forbidden):
        async with job() as first:
            await first
    to.gateway.allow("ASIA2", HUSH, TOKEN)
    machine.write("ASIA2", token=TOKEN)
    async with job() as second:
        report = await second
    assert report.failed == 0
    assert orjson.loads((await to.ml.request("GET", "/docs/_count")).body)["count"] == 40


async def test_a_stream_is_asked_for_again_with_other_credentials(to: Signed, machine: Machine) -> None:
    async with model_server.serve() as url, chat_model(to.ml, "chat", f"{url}/proverb") as model_id:
        to.gateway.rotate(machine, "ASIA1", "ASIA2")
        asked = {"prompt": "hello", "_llm_interface": "openai/v1/chat/completions"}
        async with to.ml.models.predict_stream(model_id, parameters=asked) as events:
            assert [words async for words in events]
    assert to.gateway.keys[-1] == "ASIA2"


async def test_credentials_that_nobody_renews_are_an_error_that_shows_none(to: Signed, machine: Machine) -> None:
    to.gateway.expire("ASIA1")
    with pytest.raises(Forbidden) as caught:
        await to.ml.send(Predict("text_embedding", "m", text_docs=["a"]))
    assert caught.value.response.request.headers.keys() >= {"x-opaque-id"}
    for shown in (str(caught.value), repr(caught.value.response), str(caught.value.request.headers)):
        assert HUSH not in shown
        assert TOKEN not in shown
