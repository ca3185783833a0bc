"""``aiomlcommons search``: the hits as a table and as JSON, what was sent, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import Session, cli
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.ingest import IndexSink

pytestmark = pytest.mark.asyncio
MODEL = ("--model", "all-MiniLM-L6-v2")
LONG = (
    "A soft answer turneth away wrath: but grievous words stir up anger, as it is written in the proverbs of Solomon."
)


@pytest_asyncio.fixture
async def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    """Yield the URL of an emulator with an index of three documents."""
    for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS"):
        monkeypatch.delenv(f"OPENSEARCH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    rows = [{"id": "a", "text": LONG}, {"id": "b", "text": "Go to the ant."}, {"id": "c", "text": "A time to die."}]
    async with Emulator(refresh=AT_ONCE).serve() as served, Session(served) as ml:
        await ml.settings.allow_first_model()
        model_id = await ml.models.ensure(MODEL[1])
        await ml.indices.create_for(model_id, index="docs")
        await ml.ingest(rows, model=model_id, sink=IndexSink(ml, "docs"))
        yield served


async def run(*words: str) -> int:
    return await asyncio.to_thread(cli.main, ["search", *words])


async def test_the_hits_are_a_table_and_what_was_sent_goes_to_standard_error(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("docs", "a soft answer", *MODEL, "--url", url, "--size", "2", "--no-hybrid") == 0
    got = capsys.readouterr()
    title, first, second = got.out.splitlines()
    assert title.split() == ["SCORE", "ID", "TEXT"]
    assert first.split()[1] == "a"
    assert first.endswith("...")
    assert second
    assert "search of docs:\n- field embedding (knn_vector, 384 dimensions)\n- model " in got.err
    assert "vectors only, as hybrid=False says" in got.err


async def test_json_has_the_documents_and_the_request(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = '{"ids": {"values": ["b", "c"]}}'
    assert await run("docs", "ant", *MODEL, "--url", url, "--json", "--filter", chosen, "--no-hybrid", "--k", "5") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert {hit["id"] for hit in found["hits"]} == {"b", "c"}
    assert set(found["hits"][0]["source"]) == {"id", "text"}
    assert found["sent"]["size"] == 10


async def test_a_dry_run_shows_what_would_be_sent(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("docs", "ant", *MODEL, "--url", url, "--dry-run") == 0
    assert "\n\nPOST /docs/_search" in capsys.readouterr().out
    assert await run("docs", "ant", *MODEL, "--url", url, "--dry-run", "--json") == 0
    assert set(orjson.loads(capsys.readouterr().out)) == {"kind", "reasons", "sent"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("dogs", "ant", *MODEL), 1, "NotSearchable: there is no index 'dogs'; did you mean 'docs'?"),
        (("docs", "ant"), 1, "NotSearchable: name the model that made the vectors of embedding"),
        (("docs", "ant", *MODEL, "--filter", "{"), 2, "--filter is not JSON"),
        (("docs", "ant", *MODEL, "--filter", "[]"), 2, "--filter must be a query as a JSON object"),
        (("docs", " ", *MODEL), 1, "text must be a text with a word in it"),
    ],
)
async def test_what_is_wrong_is_said_in_a_line(
    url: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert await run(*words, "--url", url) == code
    assert said in capsys.readouterr().err
