"""The ledger of trials: programs that try faults write their rows there, and ``make docs`` makes the page of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import attrs

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "reliability"


@attrs.frozen(kw_only=True)
class Trials:
    """One kind of fault: what was promised, how often it was tried, and how often the promise was broken."""

    group: str
    """What the fault is of, such as "answers" or "network": the heading of the page."""
    fault: str
    promise: str
    test: str
    """The path of the module of ``tests/`` that tries it, which a reader opens next."""
    against: str
    """What was tried, such as "emulator" or "OpenSearch 3.8.0"; never the name of a machine."""
    trials: int
    losses: int = 0


@attrs.frozen(kw_only=True)
class Run:
    """The rows of one run of a program, and the command that repeats it."""

    command: str
    rows: tuple[Trials, ...]
    figures: dict[str, str] = attrs.field(factory=dict)
    """What else the run measured, such as memory at its start and end, in words."""


def write(name: str, command: str, rows: Iterable[Trials], figures: dict[str, str] | None = None) -> Path:
    """Write the rows of a run as ``docs/reliability/NAME.json``, in place of those of the run before."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    run = Run(command=command, rows=tuple(rows), figures=figures or {})
    path.write_text(json.dumps(attrs.asdict(run), indent=1) + "\n", encoding="utf-8")
    return path


def read() -> list[Run]:
    """Return the runs on record, by the names of their files."""
    return [_run(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def _run(data: dict[str, object]) -> Run:
    rows = data.pop("rows")
    assert isinstance(rows, list)
    return Run(rows=tuple(Trials(**row) for row in rows), **data)  # type: ignore[arg-type]
