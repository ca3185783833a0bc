"""Notebooks of ``examples``, run by a kernel as their readers would."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support.paths import ROOT


def run_notebook(name: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run a notebook on the embedded emulator; return its cells of code with their outputs, or fail by its error."""
    for variable in ("OPENSEARCH_URL", "OPENSEARCH_USERNAME", "OPENSEARCH_PASSWORD", "MODEL"):
        monkeypatch.delenv(variable, raising=False)
    path = ROOT / "examples" / name
    made = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in made.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells), "clear the outputs"
    try:
        NotebookClient(
            made, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
        ).execute()
    except CellExecutionError as error:
        pytest.fail(str(error))
    return cells


def printed(cell: Any) -> str:
    """Return what a cell printed to standard output."""
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stdout")
