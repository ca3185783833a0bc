"""``aiomlcommons reembed``: the whole way and back, typed command by command as at night."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import cli
from tests.support.aliased_index import CREATED, NEW, World, world

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """Yield a cluster with an index behind an alias; its URL is in the environment."""
    for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS"):
        monkeypatch.delenv(f"OPENSEARCH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    async with world() as found:
        monkeypatch.setenv("OPENSEARCH_URL", found.url)
        yield found


async def run(*words: str) -> int:
    return await asyncio.to_thread(cli.main, ["reembed", "docs", *words])


async def test_there_and_back(given: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("--model", NEW, "--alias", "live", "--dry-run", "--json") == 0
    plan = orjson.loads(capsys.readouterr().out)
    assert (plan["phase"], plan["target"], plan["documents"]) == ("planned", CREATED, 10)
    assert set(await given.ml.indices.aliases()) == {"docs"}

    assert await run("--model", NEW, "--alias", "live", "--until-switch") == 0
    assert "checked" in capsys.readouterr().out
    assert await given.leads_to() == {"docs"}

    assert await run("--alias", "live", "--resume", "--report", "report.md") == 0
    assert await given.leads_to() == {CREATED}
    assert (await asyncio.to_thread(Path("report.md").read_text)).startswith("# Re-embedding docs -> ")
    capsys.readouterr()

    assert await run("--alias", "live", "--status", "--json") == 0
    report = orjson.loads(capsys.readouterr().out)
    assert report["phase"] == "switched"
    assert report["figures"]["new"]["cosine"] > 0.999  # also of an earlier process
    words = report["back"].split()
    assert words[:3] == ["aiomlcommons", "reembed", "docs"]

    assert await run(*words[3:]) == 0
    assert await given.leads_to() == {"docs"}
    assert f"{CREATED} is still there: delete it" in capsys.readouterr().out


async def test_the_old_index_is_not_deleted_without_a_yes(
    given: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await run("--model", NEW, "--alias", "live") == 0
    ends = ("--alias", "live", "--finish", "--delete-old")
    assert await run(*ends) == 2
    assert "pass --yes to delete without confirmation" in capsys.readouterr().err
    for answer, code in (("no", 1), ("y", 0)):
        terminal = io.StringIO(f"{answer}\n")
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", terminal)
        assert "docs" in await given.ml.indices.aliases()
        assert await run(*ends) == code
        assert "to be deleted:\n  index docs\n" in capsys.readouterr().err
    assert set(await given.ml.indices.aliases()) == {CREATED}
    assert await run(*ends, "--yes") == 0


async def test_what_is_not_as_required_has_a_code_of_its_own(
    given: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    queries, judgments = tmp_path / "q.tsv", tmp_path / "j.tsv"
    await asyncio.to_thread(queries.write_text, "a\ttext number 1\n")
    await asyncio.to_thread(judgments.write_text, "query-id\tcorpus-id\tscore\na\td1\t1\n")
    files = ("--queries", str(queries), "--judgments", str(judgments), "--old-model", given.old)
    assert await run("--model", NEW, "--alias", "live", "--require", "mrr@10 >= old + 0.2", *files) == 5
    got = capsys.readouterr()
    assert "NOT AS ASKED mrr@10" in got.out
    assert "live still leads to the old index" in got.err
    assert await given.leads_to() == {"docs"}
    assert await run("--alias", "live", "--finish", "--delete-old") == 1
    assert "it is not switched yet" in capsys.readouterr().err
    assert await run("--alias", "live", "--rollback") == 0
    assert set(await given.ml.indices.aliases()) == {"docs"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--alias", "live"), 2, "pass --model MODEL, the new one, or --resume"),
        (("--model", "m"), 2, "pass --alias NAME, the alias that is switched to a new index, or --field NAME"),
        (("--model", "m", "--alias", "live", "--delete-old"), 2, "--delete-old is for --finish"),
        (("--alias", "live", "--status", "--rollback"), 2, "not allowed with argument --status"),
        (("--alias", "live", "--status", "--report", "r.txt"), 2, "--report must end in .md, .html, .json"),
    ],
)
async def test_wrong_usage_is_told(
    words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        got = await run(*words, "--url", "http://127.0.0.1:1")
    except SystemExit as stopped:
        got = int(str(stopped.code))
    assert got == code
    assert said in capsys.readouterr().err


async def test_status_without_a_run_says_so(given: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("--alias", "live", "--status") == 1
    assert "there is no re-embedding of index docs to go on with" in capsys.readouterr().err
