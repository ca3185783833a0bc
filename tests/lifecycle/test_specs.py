"""Specs: the requests that they produce, and how registered models are matched."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.api.model_records import DeploySetting, Model, RateLimiter
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.lifecycle.declared import DeclaredModel
from aiomlcommons.lifecycle.spec import FileModel, PretrainedModel, RemoteModel, UrlModel
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.wire import convert
from tests.support.ensure_process import DENSE
from tests.support.paths import MODELS
from tests.support.served_emulator import NOW, ServedEmulator

DIGEST = "A1" * 32


async def ensured(world: ServedEmulator, spec: Any) -> Any:
    return await world.ml.models.ensure(spec, deploy=False, backoff=NOW, stall_timeout=0)


# ---- names ---------------------------------------------------------------------------------------------------------


class Zipped(DeclaredModel):
    model = "declared.zip"
    path = MODELS / "tiny-dense.zip"


@pytest.mark.parametrize(
    "make",
    [
        lambda: FileModel(path="m.zip", name="m.zip"),
        lambda: UrlModel(name="m.tgz", url="http://h/m.zip", model_content_hash_value=DIGEST),
        lambda: Zipped.spec(),
    ],
)
def test_a_name_that_no_node_could_deploy_is_refused_at_once(make: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"name must not end in \.(zip|tgz): no node could deploy a model of the"):
        make()


def test_a_remote_model_may_be_called_anything() -> None:
    assert RemoteModel(name="m.zip", connector_id="c").name == "m.zip"


@pytest.mark.asyncio
@pytest.mark.parametrize("file_name", ["words.zip", "words.ZIP", "words.pt.zip"])
async def test_a_model_without_a_name_is_called_by_its_file(
    world: ServedEmulator, tmp_path: Path, file_name: str
) -> None:
    path = shutil.copy(MODELS / "tiny-dense.zip", tmp_path / file_name)
    assert (await ensured(world, FileModel(path=path, model_config=DENSE))).model.name == "words"


@pytest.mark.asyncio
async def test_the_checking_of_a_file_is_told_first_and_then_how_far_it_is(world: ServedEmulator) -> None:
    told: list[Progress] = []
    path = MODELS / "tiny-dense.zip"
    await world.ml.models.ensure(
        FileModel(path=path, model_config=DENSE), deploy=False, backoff=NOW, progress=told.append
    )
    size = path.stat().st_size
    checking = [progress for progress in told if progress.phase is Phase.CHECKING]
    assert [(progress.words, progress.done, progress.total) for progress in checking] == [
        (str(path), None, None),
        ("", size, size),
    ]
    assert told[: len(checking)] == checking


# ---- what the cluster is told ---------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(("inside", "told"), [("model.onnx", "ONNX"), ("model.pt", "TORCH_SCRIPT")])
async def test_a_model_has_the_format_of_its_file(
    world: ServedEmulator, tmp_path: Path, inside: str, told: str
) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(inside, b"m")
        archive.writestr("tokenizer.json", b"{}")
    got = await ensured(world, FileModel(path=tmp_path / "m.zip", model_config=DENSE))
    assert got.model.model_format == told


SAID: dict[str, Any] = {
    "description": "of ours",
    "is_enabled": False,
    "rate_limiter": RateLimiter(5, "MINUTES"),
    "deploy_setting": DeploySetting(is_auto_deploy_enabled=False),
    "interface": {"input": "{}"},
}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "spec",
    [
        FileModel(path=MODELS / "tiny-dense.zip", model_config=DENSE, group="ours", **SAID),
        RemoteModel(name="r", connector=openai_embeddings("m", "key"), group="ours", **SAID),
        PretrainedModel(name="all-MiniLM-L6-v2", group="ours", **SAID),
    ],
)
async def test_every_field_that_is_common_reaches_the_cluster(world: ServedEmulator, spec: Any) -> None:
    heard: list[Any] = []

    async def listen(http: Any, go: Any) -> Any:
        heard.append(await http.json())
        return await go()

    for endpoint in (RegisterModel, RegisterModelMeta):
        world.emulator.faults.add(listen, on=endpoint)
    await ensured(world, spec)
    (told,) = heard
    assert {name: told[name] for name in SAID} == orjson.loads(orjson.dumps(convert.unstructure(SAID)))
    assert told["model_group_id"]


@pytest.mark.parametrize("count", [1, 9])
def test_chunks_in_flight_are_one_or_more(count: int) -> None:
    assert FileModel(path="m.zip", concurrency=count).concurrency == count


@pytest.mark.parametrize("count", [0, -1])
def test_no_chunks_in_flight_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="concurrency must be a whole number of at least 1"):
        FileModel(path="m.zip", concurrency=count)


# ---- one model or another -------------------------------------------------------------------------------------------

KEPT = {"name": "c", "protocol": "http", "parameters": {"model": "m", "n": "1"}}
ACTION = {"action_type": "PREDICT", "method": "POST", "url": "https://h", "request_body": "{}"}


def remote(**changes: Any) -> RemoteModel:
    action = ConnectorAction(action_type="predict", method="POST", url="https://h", request_body="{}")
    given = {"name": "c", "version": 1, "protocol": "http", "parameters": {"model": "m", "n": 1}, "actions": [action]}
    return RemoteModel(name="r", connector=CreateConnector(**{**given, **changes}))


SHOWN = convert.structure({"name": "r", "connector": {**KEPT, "actions": [ACTION]}}, Model)


def test_a_remote_model_is_known_by_its_connector_whatever_the_server_makes_of_its_words() -> None:
    assert remote().same(SHOWN)
    assert remote(version="2", credential={"key": "other"}, description="other").same(SHOWN)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"protocol": "aws_sigv4"},
        {"parameters": {"model": "other", "n": 1}},
        {"parameters": {"model": "m"}},
        {"parameters": None},
        {"actions": None},
        {"actions": [ConnectorAction(action_type="execute", method="POST", url="https://h", request_body="{}")]},
        {"actions": [ConnectorAction(action_type="predict", method="POST", url="https://other", request_body="{}")]},
        {"actions": [ConnectorAction(action_type="predict", method="POST", url="https://h", request_body="[]")]},
        {"protocol": "mcp_sse", "url": "https://h"},
    ],
)
def test_a_remote_model_behind_another_connector_is_another(changes: dict[str, Any]) -> None:
    assert not remote(**changes).same(SHOWN)


def test_a_remote_model_by_its_connectors_id_is_known_by_that() -> None:
    by_id = RemoteModel(name="r", connector_id="c")
    assert by_id.same(Model(name="r", connector_id="c"))
    assert not by_id.same(Model(name="r", connector_id="d"))
    assert not by_id.same(SHOWN)
    assert not remote().same(Model(name="r", connector_id="c"))


@pytest.mark.asyncio
async def test_a_remote_model_of_the_same_name_behind_another_connector_is_registered(world: ServedEmulator) -> None:
    small, large = (
        RemoteModel(name="r", connector=openai_embeddings(f"text-embedding-3-{size}", "key"))
        for size in ("small", "large")
    )
    first = await ensured(world, small)
    other = await ensured(world, large)
    assert (first.registered, other.registered) == (True, True)
    assert first.model_id != other.model_id
    assert (await ensured(world, large)).model_id == other.model_id


@pytest.mark.parametrize(
    ("model", "same"),
    [
        (Model(model_content_hash_value=DIGEST.upper()), True),
        (Model(model_content_hash_value=DIGEST.lower()), True),
        (Model(model_content_hash_value="b2" * 32), False),
        (Model(), False),
    ],
)
def test_a_model_by_url_is_known_by_its_hash_in_any_case(model: Model, same: bool) -> None:
    assert UrlModel(name="m", url="http://h/m.zip", model_content_hash_value=DIGEST).same(model) is same


MINILM = "huggingface/sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"description": f"{MINILM} 1.0.2", "model_format": "TORCH_SCRIPT"}, True),
        ({"description": f"{MINILM} 1.0.2", "model_format": "torch_script"}, True),
        ({"description": "somebody's own words", "model_format": "TORCH_SCRIPT"}, True),
        ({"model_format": "TORCH_SCRIPT"}, True),
        ({"description": f"{MINILM} 1.0.1", "model_format": "TORCH_SCRIPT"}, False),
        ({"description": f"{MINILM} 1.0.2", "model_format": "ONNX"}, False),
        ({"description": f"{MINILM} 1.0.2"}, False),
    ],
)
def test_a_pretrained_model_is_known_by_its_version_and_format(fields: dict[str, Any], same: bool) -> None:
    assert PretrainedModel(name=MINILM, version="1.0.2").same(Model(**fields)) is same
