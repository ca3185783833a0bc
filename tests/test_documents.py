"""The examples of the README and of ``examples`` run as documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest

from aiomlcommons import Backoff, FileModel, InvalidRequest, NoSuchModel, RemoteModel, Session, emulator
from aiomlcommons.api.connectors import CreateConnector
from tests.support import model_server
from tests.support.documents import guide, run
from tests.support.emulated_models import ALLOWED
from tests.support.hub_server import Repository, dense_repository, hub_server
from tests.support.paths import ROOT

CORPUS = ROOT / "examples" / "data" / "kjv-wisdom.jsonl"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
# Ray writes its log to standard error and warns of itself: tests/integrations runs these examples.
ON_RAY = {"parquet_to_opensearch.py", "ray_embed.py"}
EXAMPLES = sorted(
    path.name for path in (ROOT / "examples").glob("*.py") if "__main__" in path.read_text() and path.name not in ON_RAY
)


def tour() -> str:
    return next(block for block in BLOCKS if "allow_first_model" in block)


@pytest.mark.asyncio
async def test_the_readmes_tour_runs_as_it_is_written() -> None:
    async with emulator.serve() as url:
        code = tour().replace('"https://localhost:9200", auth=("admin", "...")', repr(url))
        assert url in code
        await run(code)


def test_the_tour_is_ten_lines() -> None:
    assert len([line for line in tour().splitlines() if line.strip()]) <= 10


def test_the_readme_names_each_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    paragraph = next(part for part in (ROOT / "README.md").read_text().split("\n\n") if "is an extra" in part)
    assert set(re.findall(r"`([\w-]+)`", paragraph)) == extras - {"docs", "test", "dev", "release"}


@pytest.mark.asyncio
async def test_the_readmes_emulator_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    await run(next(block for block in BLOCKS if "emulator.serve()" in block))
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.asyncio
async def test_the_guide_to_bulk_jobs_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "verses.jsonl").symlink_to(CORPUS)
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await run("\n".join(guide("")), ml=ml)


@pytest.mark.asyncio
async def test_the_guide_to_embedding_runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure("all-MiniLM-L6-v2")
        reranker = await ml.models.ensure("ms-marco-MiniLM-L-6-v2")
        code = "\n".join(guide("", "embedding.md"))
        await run(code, ml=ml, model_id=model.model_id, reranker_id=reranker.model_id)


@pytest.mark.asyncio
async def test_the_guide_to_indices_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await run("\n".join(guide("", "indices.md")), ml=ml)
        assert (await ml.indices.count("proverbs")).count == 2
    made, report = capsys.readouterr().out.splitlines()
    assert made.startswith("True {'type': 'knn_vector', 'dimension': 384, 'method': {")
    assert report.startswith("2 read = 2 written")


@pytest.mark.asyncio
async def test_the_guide_to_where_vectors_are_made_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "verses.jsonl").symlink_to(CORPUS)
    jobs, pipeline = guide("", "client-or-server.md")  # which shows the pipeline after the jobs
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure("all-MiniLM-L6-v2")
        await ml.indices.create_for(model.model_id, index="docs")
        await run(f"{pipeline}\n{jobs}\nprint(report)", ml=ml, model_id=model.model_id)
        vectors = {"exists": {"field": "embedding"}}
        found = await ml.request("POST", "/docs/_count", body={"query": vectors})
    assert found.json()["count"] == len(CORPUS.read_text().splitlines())


@pytest.mark.asyncio
async def test_the_guide_to_searches_runs_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure("all-MiniLM-L6-v2")
        await run("\n".join(guide("", "searching.md")), ml=ml, model_id=model.model_id)
    assert "POST /docs/_search" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_the_guides_offline_prediction_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = guide(" remote")
    # No released server follows such a job; the guide says so, and is for the one that will.
    following = emulator.Emulator(emulator.Cluster(follows_batches=True))
    async with following.serve() as url, Session(url) as ml, model_server.serve() as provider:
        await ml.settings.apply(ALLOWED)
        connector = CreateConnector("c", version=1, protocol="http", actions=model_server.batch_actions(provider))
        model = await ml.models.ensure(RemoteModel(name="remote", connector=connector))
        await run(code.replace("cap=60", "first=0"), ml=ml, model_id=model.model_id, Backoff=Backoff)
    assert capsys.readouterr().out.split("\n")[-2] == "COMPLETED completed"


@pytest.mark.asyncio
async def test_the_guide_to_models_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await run("\n".join(guide("", "models.md")), ml=ml, NoSuchModel=NoSuchModel)
        assert "True 384\n" in (said := capsys.readouterr().out)
        assert "'all-MiniLM-L6-v3'; did you mean 'huggingface/sentence-transformers/all-MiniLM-L6-v2'" in said
        async with hub_server() as hub:
            hub.repositories["tiny/dense"] = Repository({"v1": dense_repository()})
            here = partial(FileModel.from_hub, endpoint=hub.url, cache_dir=tmp_path)
            monkeypatch.setattr(FileModel, "from_hub", here)
            await run(*guide(" hub", "models.md"), ml=ml, FileModel=FileModel)
        assert (await ml.models.ensure("tiny/dense")).model.is_deployed


@pytest.mark.asyncio
async def test_the_guide_to_pipelines_runs_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await run("\n".join(guide("", "pipelines.md")), ml=ml, InvalidRequest=InvalidRequest)
    size, failed, hit, refused = capsys.readouterr().out.splitlines()
    assert size == "384"
    assert failed.startswith("2 400 ")
    assert hit.startswith("1 ")
    assert hit.endswith(" a wise man will hear")
    assert refused == "CreatePipeline: processors[0].text_embedding: field_map must not be empty"


@pytest.mark.asyncio
async def test_the_guide_to_results_runs_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        for number in range(3):
            await ml.model_groups.register(f"g{number}")
        await run("\n".join(guide("", "results.md")), ml=ml)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 of 3"
    assert lines[3].startswith("ModelGroup(name='g")


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_runs_on_the_emulator(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENSEARCH_")}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
