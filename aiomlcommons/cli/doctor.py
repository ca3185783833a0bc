"""``aiomlcommons doctor``: what is wrong with the cluster for ML, each finding with the command that mends it."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.exit_codes import FAILED, OK
from aiomlcommons.cli.tables import print_json
from aiomlcommons.diagnosis.diagnosis import NAMES
from aiomlcommons.diagnosis.findings import Checked, Finding, Report

if TYPE_CHECKING:
    from rich.console import Console

# As words, for those who see no colour.
_MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM", "unchecked": "unknown"}
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red", "unchecked": "cyan"}
_MARK, _NAME = max(map(len, _MARKS.values())), max(map(len, NAMES))
WIDEST = 110
_INDENT = " " * (_MARK + 2)


async def examine(options: argparse.Namespace) -> int:
    """Run every check and print its result as it comes; the exit code is 1 if there is a problem."""
    checks: list[Checked] = []
    async with cluster(options) as ml:
        with _printer(options) as printer:
            printer.next(NAMES[0])
            async for checked in ml.diagnose(timeout=options.timeout):
                checks.append(checked)
                printer.show(checked)
                printer.next(NAMES[min(len(checks), len(NAMES) - 1)])
    report = Report(checks)
    if options.json:
        print_json(as_json(report))
    else:
        print(f"\n{report.summary}")
    return OK if report.healthy else FAILED


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON."""
    return {
        "healthy": report.healthy,
        "summary": report.summary,
        "checks": [{"state": checked.state, **attrs.asdict(checked)} for checked in report.checks],
    }


Line: TypeAlias = Sequence[tuple[str, str]]
"""A line of output: its parts, each with its style."""


def lines(checked: Checked, width: int) -> Iterator[Line]:
    """Yield the lines of a result: prose is wrapped, what is to be copied is not."""
    width = min(width, WIDEST)
    mark = f"{_MARKS[checked.state]:<{_MARK}}"
    yield from _prose((mark, _COLOURS[checked.state]), f"  {checked.name:<{_NAME}}  ", checked.seen, width)
    for finding in checked.findings:
        yield from _of_finding(finding, width)
    for words in checked.unchecked:
        yield from _prose((_INDENT, ""), "", f"could not check: {words}", width, "cyan")


def _of_finding(finding: Finding, width: int) -> Iterator[Line]:
    colour = _COLOURS[str(finding.severity)]
    yield from _prose(
        (f"{_INDENT}- {finding.severity}: ", colour), "", finding.what, width, "bold", indent=_INDENT + "  "
    )
    for words in (finding.why, finding.advice):
        if words:
            yield from _prose((f"{_INDENT}  ", ""), "", words, width)
    yield (f"{_INDENT}  $ ", "dim"), (finding.command, "bold cyan")
    if finding.python:
        yield ((f"{_INDENT}  >>> {finding.python}", "dim"),)


def _prose(
    first: tuple[str, str], then: str, words: str, width: int, style: str = "", indent: str = ""
) -> Iterator[Line]:
    start = first[0] + then
    # A word is not broken: it may be a name that is to be copied.
    wrapped = textwrap.wrap(
        words,
        width,
        initial_indent=start,
        subsequent_indent=indent or " " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [start.rstrip()]
    yield first, (wrapped[0][len(first[0]) :], style)
    yield from (((line, style),) for line in wrapped[1:])


class _Printer:
    """Prints nothing, for --json."""

    def __enter__(self) -> _Printer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self, name: str) -> None:
        """Show which check is under way."""

    def show(self, checked: Checked) -> None:
        """Print the result of a check."""

    def close(self) -> None:
        """Take away what shows progress."""


class _Plain(_Printer):
    """Prints lines without colour, as into a pipe."""

    def show(self, checked: Checked) -> None:
        width = shutil.get_terminal_size().columns
        print("\n".join("".join(part for part, _ in line) for line in lines(checked, width)), flush=True)


class _Coloured(_Printer):
    """Prints coloured lines, and the name of the check that is under way beneath them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._status.start()

    def next(self, name: str) -> None:
        self._status.update(f"checking {name}")

    def show(self, checked: Checked) -> None:
        from rich.text import Text

        for line in lines(checked, self._console.width):
            self._console.print(Text.assemble(*line), soft_wrap=True)

    def close(self) -> None:
        self._status.stop()


def _printer(options: argparse.Namespace) -> _Printer:
    if options.json:
        return _Printer()
    if not sys.stdout.isatty() or find_spec("rich") is None:
        return _Plain()
    from rich.console import Console

    return _Coloured(Console(highlight=False))
