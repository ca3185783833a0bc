"""The code of the documentation, to be run as its readers would."""

from __future__ import annotations

import re
import textwrap

from tests.support.paths import ROOT


def guide(kind: str, page: str = "ingest.md") -> list[str]:
    """Return the code blocks of a guide that need nothing, or are of a kind: a ``cluster``, or a ``remote`` model."""
    text = (ROOT / "docs" / page).read_text()
    found: list[str] = re.findall(rf"```python{kind}\n(.*?)```", text, re.DOTALL)
    return found


async def run(code: str, **names: object) -> None:
    exec("async def tour():\n" + textwrap.indent(code, "    "), names)  # noqa: S102 - they are our own documents
    await names["tour"]()  # type: ignore[operator]


def named_files(page: str) -> list[str]:
    """Return the Python files and folders that a page names in code: `` `a/b.py` ``, `` `a/` ``."""
    return re.findall(r"`([\w./-]+(?:\.py|/))`", page)
