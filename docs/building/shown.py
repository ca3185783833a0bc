"""Writes pages of files that stand outside ``docs``: examples, notebooks, the change log and the like."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent.parent
# Documents at the top of the repository, and their pages.
PROJECT = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def places() -> Mapping[str, str]:
    """Return the page of each file of the repository that has one elsewhere, by their paths."""
    examples = {f"examples/{path.name}": f"examples/{path.stem}.md" for path in (ROOT / "examples").glob("*.py")}
    notebooks = {f"examples/{path.name}": f"notebooks/{path.stem}.md" for path in (ROOT / "examples").glob("*.ipynb")}
    return {"README.md": "index.md", **PROJECT, **examples, **notebooks}


def linked(text: str, origin: str, page: str) -> str:
    """Return a document for its page: links to files that have a page lead there, other files are only named.

    ``origin`` is its path in the repository, ``page`` the one below ``docs``.
    """
    known = places()

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), found["target"]))
        place = known.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        if place is None:
            return found["words"]
        if found["image"] or (origin == f"docs/{page}" and target.startswith("docs/")):
            return found[0]
        return f"[{found['words']}]({posixpath.relpath(place, posixpath.dirname(page))}{found['anchor'] or ''})"

    return _LINK.sub(link, text)


def write(folder: Path, *, run_notebooks: bool = True) -> None:
    """Write the pages below a folder."""
    for origin, page in places().items():
        if origin == "README.md":
            continue
        path = ROOT / origin
        if path.suffix == ".ipynb":
            text = _notebook(path, run=run_notebooks)
        elif path.suffix == ".py":
            text = _example(path)
        else:
            text = linked(path.read_text(encoding="utf-8"), origin, page)
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(text, encoding="utf-8")


def _example(path: Path) -> str:
    code = path.read_text(encoding="utf-8")
    words = ast.get_docstring(ast.parse(code)) or ""

    return f"# `{path.name}`\n\n{words.replace('``', '`')}\n\n```python\n{code.rstrip()}\n```\n"


def _notebook(path: Path, *, run: bool) -> str:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    if run:
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    return "\n\n".join(filter(None, map(_cell, notebook.cells))) + "\n"


def _cell(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    outputs = [_output(output) for output in cell.outputs]
    return "\n\n".join([f"```python\n{cell.source}\n```", *filter(None, outputs)])


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    data = output.get("data", {})
    if html := data.get("text/html"):
        return f'````{{raw}} html\n<div class="notebook-output">{html}</div>\n````'
    if image := data.get("image/png"):
        return f'````{{raw}} html\n<img alt="the plot" src="data:image/png;base64,{image.strip()}">\n````'
    return f"```text\n{data['text/plain']}\n```" if "text/plain" in data else ""
