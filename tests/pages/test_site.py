"""What builds the site: the reference has every public name, links are found out, drawings show what is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.support.docs_folder
from tests.pages.blocks import DOCS
from tests.support.paths import ROOT

pytest.importorskip("sphinx", reason="the extra docs is not installed")

from building import api, commands, drawings, inventory, links, shown

assert tests.support.docs_folder


def described(page: str) -> Iterator[str]:
    """Yield the full names that a page describes."""
    module = ""
    for directive, name in re.findall(r"^\.\. (auto\w+|py:\w+):: ([\w.]+)", page, re.MULTILINE):
        if directive == "py:currentmodule":
            module = f"{name}."
        else:
            yield name if directive.startswith("auto") or name.startswith("aiomlcommons.") else module + name


def test_every_public_name_is_in_the_reference() -> None:
    found = {name for text in api.Reference().write().values() for name in described(text)}
    missing = [min(names, key=len) for names in inventory.expected() if names.isdisjoint(found)]
    assert not missing


def test_every_command_is_on_its_page() -> None:
    from aiomlcommons.cli.arguments import verbs

    headings = re.findall(r"^##+ `(.+)`$", commands.page(), re.MULTILINE)
    assert {name for name, _ in verbs()} <= set(headings)


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<a href="a.html#there">1</a><a href="a.html#gone">2</a><a href="b.html">3</a><a href="#here">4</a>'
        '<p id="here"></p><img src="no.svg"><a href="https://example.org/x#y">5</a><a href="data:,">6</a>'
        '<a href="../out.html">7</a>'
    )
    (tmp_path / "a.html").write_text('<p id="there"><a href="">itself</a>')
    (tmp_path / "alone.html").write_text("")
    checked = links.check(tmp_path)
    assert checked.broken == [
        "index.html: a.html#gone leads to no anchor",
        "index.html: b.html leads to no page",
        "index.html: no.svg leads to no page",
        "index.html: ../out.html leads out of the site",
    ]
    assert checked.orphans == ["alone.html"]
    assert checked.external == ["https://example.org/x"]
    assert (checked.pages, checked.links, checked.outward) == (3, 8, 1)


def test_a_document_links_to_the_pages_of_others() -> None:
    text = "[a](../CONTRIBUTING.md#how) [b](ingest.md) [c](../examples/cluster.py) [d](../Makefile) [e](https://x.org)"
    assert shown.linked(text, "docs/clusters.md", "clusters.md") == (
        "[a](project/contributing.md#how) [b](ingest.md) [c](examples/cluster.md) d [e](https://x.org)"
    )
    moved = shown.linked("[a](docs/ingest.md#x) [b](SECURITY.md)", "CHANGELOG.md", "project/changelog.md")
    assert moved == "[a](../ingest.md#x) [b](security.md)"


def test_the_arrows_of_a_drawing_point_down() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for block in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL):
        svg = drawings.drawing(block)
        boxes = re.findall(r'class="title">(\w+)<', svg)
        arrows = re.findall(r'd="M\d+ (\d+)C.*? \d+ (\d+)"', svg)
        assert sorted(boxes) == sorted(re.findall(r'^ *(\w+)\["', block, re.MULTILINE))
        assert len(arrows) == block.count("-->")
        assert all(int(start) < int(end) for start, end in arrows)


def test_no_page_has_the_name_of_one_that_sphinx_writes() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} & {"search", "genindex", "py-modindex"} == set()
