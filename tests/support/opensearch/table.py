"""The table of the cases of a secured cluster at the end of a test run: which passed, with their trials and seconds."""

from __future__ import annotations

import pytest

FAULT, TRIALS = "fault", "trials"
TITLE = "a real secured cluster"


def line(fault: str, outcome: str, trials: int, seconds: float) -> str:
    """Return a line of the table."""
    return f"{outcome:<6} {trials:>5} {seconds:>7.1f} s  {fault}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, if cases were run."""
    lines = [
        _line(report, dict(report.user_properties))
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if isinstance(report, pytest.TestReport) and FAULT in dict(report.user_properties)
    ]
    if lines:
        terminalreporter.section(TITLE)
        terminalreporter.line("result trials           fault")
        for one in lines:
            terminalreporter.line(one)


def _line(report: pytest.TestReport, properties: dict[str, object]) -> str:
    trials = properties.get(TRIALS, 0)
    assert isinstance(trials, int)
    return line(str(properties[FAULT]), report.outcome, trials, report.duration)
