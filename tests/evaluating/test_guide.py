"""docs/evaluating.md runs as it is written, and shows what the example prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aiomlcommons import Session
from aiomlcommons.cli.arguments import parse
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.evaluating import Evaluation
from aiomlcommons.ingest import IndexSink
from tests.support.documents import guide, run
from tests.support.paths import CORPUS, ROOT
from tests.support.served_emulator import NOW

PAGE = "evaluating.md"


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[dict[str, object]]:
    """Serve an emulator with what the page takes for granted."""
    (folder / "queries.jsonl").symlink_to(CORPUS.with_name("wisdom-queries.jsonl"))
    (folder / "judgments.tsv").symlink_to(CORPUS.with_name("wisdom-judgments.tsv"))
    verses = CORPUS.read_bytes().splitlines(keepends=True)[::12]
    (folder / "verses.jsonl").write_bytes(b"".join(verses))
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        models = [
            (await ml.models.ensure(name, backoff=NOW)).model_id for name in ("all-MiniLM-L6-v2", "all-mpnet-base-v2")
        ]
        for index, model in zip(("verses", "verses-new", "verses-of-one-model"), (*models, models[0]), strict=True):
            await ml.indices.create_for(model, index=index)
            await ml.ingest(folder / "verses.jsonl", model=model, sink=IndexSink(ml, index))
        pipeline = {"processors": [{"text_embedding": {"model_id": models[0], "field_map": {"text": "embedding"}}}]}
        await ml.request("PUT", "/_ingest/pipeline/embeds", body=pipeline)
        await ml.request("PUT", "/verses-of-one-model/_settings", body={"index.default_pipeline": "embeds"})
        yield {"ml": ml, "old_model": models[0], "new_model": models[1]}


@pytest.mark.asyncio
async def test_the_guide_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    results: list[Evaluation] = []
    async with world(tmp_path) as names:
        code = "\n".join(guide("", PAGE)) + "\nresults.append(result)"
        await run(code, **names, results=results)
    assert "metric" in capsys.readouterr().out
    assert list(results[0]) == ["index", "words too", "vectors", "last week", "own query"]
    assert results[0]["last week"]["recall@1"] == 0.5


def test_the_command_of_the_guide_is_one() -> None:
    text = (ROOT / "docs" / PAGE).read_text().replace("\\\n", " ")
    (command,) = re.findall(r"```sh\naiomlcommons (.*?)\n```", text, re.DOTALL)
    options = parse(shlex.split(command))
    assert len(options.system) == 2
    assert options.require == ["ndcg@10 >= old - 0.02"]


def test_the_plot_is_a_method_of_the_result() -> None:
    (code,) = guide(" plot", PAGE)
    assert code.startswith("result.plot(")
    assert callable(Evaluation.plot)
