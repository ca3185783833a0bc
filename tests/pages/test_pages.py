"""Each page of the documentation runs as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.blocks import DOCS, FOLDERS, PAGES, blocks_of
from tests.pages.elsewhere import TESTED
from tests.pages.runner import WrongPage, agrees, run_page
from tests.support.paths import ROOT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_page_runs_as_it_is_written(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


def run_text(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a page of this text, and return how many blocks it has."""
    monkeypatch.setattr("tests.pages.blocks.ROOT", tmp_path)
    monkeypatch.setattr("tests.pages.worlds.DOCS", tmp_path)
    page, folder = tmp_path / "page.md", tmp_path / "folder"
    page.write_text(text)
    folder.mkdir()
    return len(run_page(page, folder))


def test_every_page_is_run_here_or_by_a_test_of_its_own() -> None:
    generated = {DOCS / "reference.md"}  # which has no code
    pages = set(DOCS.glob("*.md")) | {page for folder in FOLDERS for page in (DOCS / folder).rglob("*.md")}
    elsewhere = {ROOT / name for name in TESTED}
    assert pages - elsewhere - generated == set(PAGES)
    assert all((ROOT / tested.test).exists() for tested in TESTED.values())


GOOD = """
```python
import asyncio
from aiomlcommons import Session

async def main():
    async with Session("http://localhost:9200") as ml:
        return ml.url

print(asyncio.run(main()))
```

```text
http://localhost:9200
```

```python
async with Session.from_env() as ml:
    model_group_id = (await ml.model_groups.register("a group")).model_group_id
print(len(model_group_id), "characters", end="")
```
```output
... characters
```

A file, which a command reads:

```python file=hello.py
print("hello")
```
```sh
python hello.py | tr a-z A-Z
```
```text
HELLO
```
```sh
aiomlcommons model-groups get MODEL_GROUP_ID
```
```text
...a group...
```
```python raises
int("x")
```
```text
ValueError: invalid literal for int() with base 10: 'x'
```
```sh fails
aiomlcommons model-groups get nothing
```
```python aws
signed()
```
```json
{"a": 1}
```
"""


def test_a_page_may_have_blocks_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_text(GOOD, tmp_path, monkeypatch) == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\nprint(1)\n```\n```text\n2\n```\n", "page.md:1 prints\n1\n\nand the page shows\n2"),
        ("\n```python\nnothing\n```\n", "page.md:2: the block raises NameError"),
        ("```python raises\n1\n```\n", "page.md:1: the block raises nothing"),
        ("```sh\nfalse\n```\n", "page.md:1: the exit code is 1"),
        ("```sh\naiomlcommons modls\n```\n", "page.md:1: the exit code is 2"),
        ("```sh fails\ntrue\n```\n", "page.md:1: the exit code is 0"),
    ],
)
def test_a_wrong_block_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongPage) as raised:
        run_text(text, tmp_path, monkeypatch)
    assert said in str(raised.value)


@pytest.mark.parametrize("fence", ["```pyhton", "```", "```python rises", "```sh raises"])
def test_a_fence_that_says_nothing_is_refused(fence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.pages.blocks.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"{fence}\n1\n```\n")
    with pytest.raises(ValueError, match="see tests/pages"):
        blocks_of(page)


def test_dots_stand_for_anything() -> None:
    assert agrees("a  \nb\nc\n", "a\n...\nc")
    assert agrees("took 3 s", "took ... s")
    assert not agrees("a\nb", "a")
    assert not agrees("a.b", "acb")
