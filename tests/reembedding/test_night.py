"""docs/reembedding.md: the night is followed to the letter, and the code of the page runs as it is written."""

from __future__ import annotations

import asyncio
import io
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from aiomlcommons import Session, cli
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.cli.arguments import parse
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.evaluating.judgments import judgments_of
from aiomlcommons.reembedding import steps
from tests.support.aliased_index import NEW, world
from tests.support.documents import guide, run
from tests.support.paths import CORPUS, ROOT

PAGE = (ROOT / "docs" / "reembedding.md").read_text(encoding="utf-8")
ASSIGNED = re.compile(r"(\w+)=\$\(aiomlcommons (.*) \| cut -d' ' -f1\)")


def lines_of_the_night() -> Iterator[str]:
    """Yield each command of the page, in its order, as a shell would read it."""
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        yield from block.replace("\\\n", " ").splitlines()


def _filled(line: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\$([A-Z_]+)", lambda found: names[found[1]], line)


class Shell:
    """As much of a shell as the page needs, which runs each command in this process."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.names: dict[str, str] = {}
        self.said: list[tuple[str, str]] = []
        self._url, self._capsys = url, capsys

    async def run(self, line: str) -> None:
        if line.startswith("export "):
            name, _, value = shlex.split(line, comments=True)[1].partition("=")
            self.names[name] = value
        elif found := ASSIGNED.fullmatch(line):
            self.names[found[1]] = (await self._command(f"aiomlcommons {found[2]}")).split()[0]
        else:
            self.said.append((line, await self._command(line)))

    async def _command(self, line: str) -> str:
        program, *words = shlex.split(_filled(line, self.names), comments=True)
        assert program == "aiomlcommons"
        code = await asyncio.to_thread(cli.main, [*words, "--url", self._url])
        got = self._capsys.readouterr()
        assert code == 0, f"{line}\n{got.err}"
        return got.out


def _small_clone(folder: Path) -> None:
    """Make what the commands read of a clone: some queries, every verse that was judged, and some others."""
    data = folder / "examples" / "data"
    data.mkdir(parents=True)
    queries, judgments = CORPUS.with_name("wisdom-queries.jsonl"), CORPUS.with_name("wisdom-judgments.tsv")
    judged = {document for grades in judgments_of(judgments).values() for document in grades}
    verses = CORPUS.read_text().splitlines(keepends=True)
    kept = [verse for number, verse in enumerate(verses) if number % 20 == 0 or verse.split('"')[3] in judged]
    (data / CORPUS.name).write_text("".join(kept))
    (data / judgments.name).symlink_to(judgments)
    (data / queries.name).write_text("".join(queries.read_text().splitlines(keepends=True)[:10]))


@pytest.mark.asyncio
async def test_the_night_is_followed_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _small_clone(tmp_path)
    monkeypatch.setattr(steps, "QUIET", 0.0)
    monkeypatch.chdir(tmp_path)
    # Who follows it confirms what is deleted at the end.
    terminal = io.StringIO("y\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url) as ml:
        shell = Shell(url, capsys)
        leads_to = []
        for line in lines_of_the_night():
            await shell.run(line)
            if line.startswith("aiomlcommons reembed"):
                leads_to.append((line.split()[-1], set(await ml.indices.aliases(name="library"))))
        new = {"verses-all-mpnet-base-v2"}
        assert leads_to == [
            ("--dry-run", {"verses"}),
            ("before.md", {"verses"}),
            ("switched.md", new),
            ("--status", new),
            ("--rollback", {"verses"}),
            ("ask-new", new),
            ("--delete-old", new),
        ]
        assert set(await ml.indices.aliases()) == new
    assert "ndcg@10" in (tmp_path / "switched.md").read_text()
    (found,) = [said for line, said in shell.said if line.startswith("aiomlcommons search")]
    assert "proverbs-15-1" in found.splitlines()[1]


def test_the_command_that_does_not_end_is_one() -> None:
    (line,) = re.findall(r"^    (aiomlcommons .*)$", PAGE, re.MULTILINE)
    assert parse(shlex.split(line.replace("$INDEX", "a").replace("$ALIAS", "b"))[1:]).step == "follow"


@pytest.mark.asyncio
async def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    async with world() as given:
        await given.ml.indices.update_aliases([AddAlias(index="docs", alias="docs-live")])
        await run("\n".join(guide("", "reembedding.md")), ml=given.ml, old_id=given.old)
        assert set(await given.ml.indices.aliases(name="docs-live")) == {"docs"}
    assert f"docs -> docs-{NEW}" in capsys.readouterr().out


def test_the_tests_that_the_page_names_are_there() -> None:
    named = {*re.findall(r"`(tests/[\w/]+\.py)`", PAGE), *re.findall(r"`R/([\w.]+)`", PAGE)}
    files = [ROOT / (name if name.startswith("tests/") else f"tests/reembedding/{name}") for name in named]
    assert [file for file in files if not file.exists()] == []
