"""A model on Hugging Face is downloaded and ensured, over real sockets, from a hub on this machine."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import attrs
import pytest
import pytest_asyncio

from aiomlcommons import BadPackage, FileModel, NotDownloaded, NotSupported, Phase, Progress, Session
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.lifecycle.file_model import FileFields
from aiomlcommons.lifecycle.files.hub_download import HubDownload
from tests.support.hub_server import COMMITS, HubServer, Repository, dense_repository, hub_server
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
ThreadsEnd: TypeAlias = Callable[[], Awaitable[Any]]
TOKEN = "hf_0123456789abcdef"


TINY = dense_repository()


@pytest_asyncio.fixture
async def hub() -> AsyncGenerator[HubServer]:
    async with hub_server() as hub:
        hub.add("tiny/dense", TINY)
        yield hub


@pytest.fixture
def spec(hub: HubServer, tmp_path: Path) -> FileModel:
    return FileModel.from_hub("tiny/dense", endpoint=hub.url, cache_dir=tmp_path, token=TOKEN)


@pytest.fixture
def threads_end(monkeypatch: pytest.MonkeyPatch) -> ThreadsEnd:
    """Wait for the end of the thread that downloads, which an abandoned call does not."""
    ended, run = threading.Event(), HubDownload.run

    def noted(self: HubDownload) -> Any:
        try:
            return run(self)
        finally:
            ended.set()

    monkeypatch.setattr(HubDownload, "run", noted)
    return lambda: asyncio.to_thread(ended.wait, 60)


async def ensure(world: ServedEmulator, spec: FileModel, **options: Any) -> Any:
    return await world.ml.models.ensure(spec, backoff=NOW, **options)


async def test_a_model_is_downloaded_uploaded_and_deployed_once(
    world: ServedEmulator, hub: HubServer, spec: FileModel
) -> None:
    steps: list[Progress] = []
    made = await ensure(world, spec, progress=steps.append)
    assert (made.model.name, made.registered, made.model.is_deployed) == ("tiny/dense", True, True)
    config = made.model.model_config
    assert isinstance(config, ModelConfig)
    assert (config.model_type, config.embedding_dimension, config.pooling_mode, config.normalize_result) == (
        "bert",
        16,
        "MEAN",
        True,
    )
    assert (config.framework_type, config.model_max_length) == ("SENTENCE_TRANSFORMERS", 128)
    assert len(await world.ml.embed_one(made, "hello")) == 16
    assert [step.phase for step in steps][:1] == [Phase.DOWNLOADING]
    arrived = next(step for step in reversed(steps) if step.phase is Phase.DOWNLOADING)
    assert arrived.done == arrived.total == sum(map(len, TINY.values())) - len(TINY["README.md"])

    before = len(hub.asked)
    again = await ensure(world, spec)
    assert (again, again.registered) == (made, False)
    assert hub.asked[before:] == ["GET /api/models/tiny/dense"], "the files are in the cache"
    assert await world.ml.models.ensure("https://huggingface.co/tiny/dense", backoff=NOW) == made


async def test_the_token_is_sent_to_the_hub_alone(world: ServedEmulator, hub: HubServer, spec: FileModel) -> None:
    hub.repositories["tiny/dense"] = Repository({"main": TINY}, token=TOKEN)
    assert (await ensure(world, spec)).registered
    tokens = {
        asked.partition("/")[2].partition("/")[0]: headers.get("authorization")
        for asked, headers in zip(hub.asked, hub.headers, strict=True)
    }
    assert tokens == {"api": f"Bearer {TOKEN}", "tiny": f"Bearer {TOKEN}", "cdn": None}


async def test_all_files_are_of_one_revision(world: ServedEmulator, hub: HubServer, tmp_path: Path) -> None:
    other = {**TINY, "1_Pooling/config.json": b'{"word_embedding_dimension": 16, "pooling_mode_cls_token": true}'}
    hub.repositories["tiny/dense"] = Repository({"main": TINY, "v1": other})
    made = await ensure(world, FileModel.from_hub("tiny/dense", revision="v1", endpoint=hub.url, cache_dir=tmp_path))
    assert made.model.model_config.pooling_mode == "CLS"
    assert all(COMMITS["v1"] in asked for asked in hub.asked if "/resolve/" in asked)


async def test_a_format_and_a_file_may_be_chosen(world: ServedEmulator, hub: HubServer, tmp_path: Path) -> None:
    hub.add("tiny/both", {**TINY, "onnx/model.onnx": b"x" * 2_000, "onnx/model_O4.onnx": b"y"})
    where: Any = {"endpoint": hub.url, "cache_dir": tmp_path}
    onnx = await ensure(world, FileModel.from_hub("tiny/both", **where), deploy=False)
    torch = await ensure(world, FileModel.from_hub("tiny/both", model_format="TORCH_SCRIPT", **where), deploy=False)
    fast = await ensure(world, FileModel.from_hub("tiny/both", filename="onnx/model_O4.onnx", **where), deploy=False)
    assert [one.model.model_format for one in (onnx, torch, fast)] == ["ONNX", "TORCH_SCRIPT", "ONNX"]
    assert len({onnx, torch, fast}) == 3


@pytest.mark.parametrize(
    ("repo_id", "options", "words"),
    [
        (
            "tiny/none",
            {},
            "there is no tiny/none at http://127.0.0.1:\\d+, or it is private: check the name, or give a tok",
        ),
        ("tiny/private", {"token": None}, "there is no tiny/private at .*, or it is private"),
        ("tiny/private", {"token": "hf_wrong_wrong"}, "there is no tiny/private at .*, or it is private"),
        ("tiny/gated", {}, "tiny/gated at .* is gated: accept its conditions on its page, and give the token"),
        ("tiny/dense", {"revision": "v9"}, "tiny/dense has no revision 'v9'; see the branches on its page"),
        ("tiny/dense", {"endpoint": "http://127.0.0.1:1"}, "tiny/dense at http://127.0.0.1:1 cannot be downloaded: "),
    ],
)
async def test_what_the_hub_refuses_is_said_in_words(
    world: ServedEmulator, hub: HubServer, tmp_path: Path, repo_id: str, options: Any, words: str
) -> None:
    hub.add("tiny/private", TINY, token=TOKEN)
    hub.add("tiny/gated", TINY, token=TOKEN, gated=True)
    given: Any = {"endpoint": hub.url, "cache_dir": tmp_path, **options}
    with pytest.raises(NotDownloaded, match=words) as caught:
        await ensure(world, FileModel.from_hub(repo_id, **given))
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert not await world.models()


async def test_weights_are_refused_before_they_are_downloaded(
    world: ServedEmulator, hub: HubServer, spec: FileModel
) -> None:
    hub.add("tiny/dense", {"model.safetensors": b"x" * 2_000, "config.json": b"{}", "tokenizer.json": b"{}"})
    with pytest.raises(BadPackage, match=r"only weights \(model.safetensors\), but OpenSearch needs TorchScript"):
        await ensure(world, spec)
    assert hub.downloads() == []


async def test_weights_in_a_file_of_torch_are_told_from_torch_script(
    world: ServedEmulator, hub: HubServer, spec: FileModel
) -> None:
    hub.add("tiny/dense", {**TINY, "traced/dense.pt": b"PK not quite"})
    with pytest.raises(BadPackage, match=r"tiny/dense: traced/dense.pt is no TorchScript"):
        await ensure(world, spec)


async def test_a_wrong_configuration_is_named_by_the_repository(
    world: ServedEmulator, hub: HubServer, spec: FileModel
) -> None:
    hub.add("tiny/dense", {**TINY, "config.json": b'{"hidden_size": 16}'})
    with pytest.raises(BadPackage, match=r"model_config is not given, and tiny/dense/config.json has no model_type"):
        await ensure(world, spec)


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("ETag", '"{}/evil"'),
        ("ETag", 'W/"{}/evil"'),
        ("ETag", '"..\\\\evil"'),
        ("X-Linked-ETag", "../../../evil"),
        ("X-Repo-Commit", "../../../evil"),
    ],
)
async def test_a_hub_does_not_name_files_outside_of_the_cache(
    world: ServedEmulator, hub: HubServer, tmp_path: Path, header: str, form: str
) -> None:
    hub.named = {header: form.format(tmp_path)}
    spec = FileModel.from_hub("tiny/dense", endpoint=hub.url, cache_dir=tmp_path / "a" / "cache")
    with pytest.raises(NotDownloaded, match=r"names a file .* which could be written outside the cache"):
        await ensure(world, spec)
    assert not list(tmp_path.rglob("*evil*"))


async def test_a_commit_that_is_a_path_is_refused(world: ServedEmulator, hub: HubServer, spec: FileModel) -> None:
    hub.commit = "../../evil"
    with pytest.raises(NotDownloaded, match="gives it no hash of a commit"):
        await ensure(world, spec)
    assert hub.downloads() == []


async def test_a_server_that_takes_no_files_is_told_before_the_download(hub: HubServer, spec: FileModel) -> None:
    async with Session("http://localhost:1", flavor="aoss") as ml:
        with pytest.raises(NotSupported, match="FileModel tiny/dense"):
            await ml.models.ensure(spec)
    assert not hub.asked


async def test_a_cancelled_call_does_not_wait_for_the_download(
    world: ServedEmulator, hub: HubServer, spec: FileModel, threads_end: ThreadsEnd
) -> None:
    hub.hold = asyncio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(ensure, world, spec)
        await hub.held.wait()
        group.cancel_scope.cancel()
    hub.hold.set()
    await threads_end()
    assert "config.json" not in hub.downloads(), "the next files are not downloaded"
    hub.hold = None
    assert (await ensure(world, spec)).registered, "the next call downloads them"


async def test_an_error_of_the_callback_ends_the_call(
    world: ServedEmulator, hub: HubServer, spec: FileModel, threads_end: ThreadsEnd
) -> None:
    def tell(progress: Progress) -> None:
        if progress.total:
            raise KeyError("enough")

    hub.hold = asyncio.Event()
    with pytest.raises(KeyError, match="enough"):
        await ensure(world, spec, progress=tell)
    hub.hold.set()
    await threads_end()


async def test_progress_is_told_while_a_file_arrives(world: ServedEmulator, hub: HubServer, spec: FileModel) -> None:
    seen: list[Progress] = []
    hub.hold = hold = asyncio.Event()

    def tell(progress: Progress) -> None:
        seen.append(progress)
        if progress.total and not progress.done:
            hold.set()

    await ensure(world, spec, progress=tell)
    while_it_came = next(one for one in seen if one.total)
    assert (while_it_came.words, while_it_came.phase) == ("traced/dense.pt", Phase.DOWNLOADING)


async def test_without_the_library_the_extra_is_named(
    world: ServedEmulator, spec: FileModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ImportError, match=r"FileModel.from_hub needs huggingface_hub: pip install 'aiomlcommons\[hub\]'"
    ):
        await ensure(world, spec)


async def test_no_log_has_the_token(
    world: ServedEmulator, hub: HubServer, spec: FileModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub.repositories["tiny/dense"] = Repository({"main": TINY}, token=TOKEN)
    await ensure(world, spec)
    assert "downloading: tiny/dense" in caplog.text
    assert TOKEN not in caplog.text


async def test_the_fields_of_from_hub_are_those_of_a_file_model() -> None:
    assert set(FileFields.__annotations__) == {field.name for field in attrs.fields(FileModel)} - {"path"}
