"""A page of the documentation, taken apart into its blocks of code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.support.paths import ROOT

DOCS = ROOT / "docs"
# Folders whose pages are run here, each page whole. Those beside them have tests of their own.
FOLDERS = ("tutorials", "how-to", "concepts", "migrating")
TOP = ("index", "clusters", "performance", "reliability", "trouble", "errors", "architecture", "capabilities")
PAGES = [
    *(DOCS / f"{name}.md" for name in TOP),
    *(page for folder in FOLDERS for page in sorted((DOCS / folder).rglob("*.md"))),
]

RUN = frozenset({"python", "sh"})
OUTPUT = frozenset({"text", "output"})
PARSED = frozenset({"json", "toml", "yaml"})
# Languages that nothing here can judge: they are shown.
SHOWN = frozenset({"console", "text", "output", "dockerfile", "ini", "http", "mermaid", "diff", "ruby", "sql"})
# What a block of code may need that is not there when the pages are run, by the second word of its fence.
NEEDS = {
    "aws": "an account of AWS",
    "provider": "an account of a provider of models",
    "server": "an OpenSearch that the emulator is no stand-in for",
    "network": "the internet",
    "kill": "a process that is killed",
    "java": "Java: tests/integrations runs these blocks where there is one",
    "ray": "a cluster of Ray: tests/integrations runs these blocks on its own",
    "other": "a package that is not installed here",
    "serverless": "a collection of AWS: tests/test_serverless.py runs it on one that is emulated",
    "part": "lines around it: it is a part of a program",
}
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)


@attrs.frozen
class Block:
    """A block of code: its language, the other words of its fence, and where it is."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    code: str
    output: str | None = None

    @property
    def where(self) -> str:
        """The page and the line, as an editor opens them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block is the text of."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)

    @property
    def lacks(self) -> str | None:
        """Why the block is not run, as a word of NEEDS."""
        return next((word for word in self.words if word in NEEDS), None)

    @property
    def kind(self) -> str:
        """What is done with the block: run, written, parsed, shown, or ``needs aws``."""
        if self.lacks:
            return f"needs {self.lacks}"
        if self.file:
            return "written to a file"
        if self.language in RUN:
            return f"{self.language} run"
        return f"{self.language} parsed" if self.language in PARSED else f"{self.language} shown"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order, each with the output that is shown right behind it.

    Raises ValueError for a fence that is none of those that ``tests.pages`` knows: nothing is left out in silence.
    """
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = -1
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        block = Block(page, line, language, tuple(words), textwrap.dedent(match["code"]))
        behind = found and end >= 0 and not text[end : match.start()].strip()
        if language in OUTPUT and behind and found[-1].kind.endswith(" run") and found[-1].output is None:
            found[-1] = attrs.evolve(found[-1], output=block.code)
        elif not language.startswith("{"):  # a directive of MyST, on an index page
            found.append(_known(block))
        end = match.end()
    return found


def _known(block: Block) -> Block:
    if block.language not in RUN | PARSED | SHOWN and not block.file:
        raise ValueError(f"{block.where}: a block is of an unknown language {block.language!r}: see tests/pages")
    for word in block.words:
        if not (
            word in NEEDS
            or word.startswith("file=")
            or (block.language, word) in {("python", "raises"), ("sh", "fails")}
        ):
            raise ValueError(f"{block.where}: {word!r} says nothing about a block: see tests/pages")
    return block


def all_blocks() -> Iterator[Block]:
    """Yield the blocks of every page."""
    for page in PAGES:
        yield from blocks_of(page)
