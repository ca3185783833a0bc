"""What a diagnosis says: findings with their remedies, what was seen, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.masking import without_credentials, without_escapes


class Severity(StrEnum):
    """How bad a finding is: a ``problem`` keeps models from working, a ``warning`` may, or keeps from some things."""

    PROBLEM = "problem"
    WARNING = "warning"


def _shown(words: str) -> str:
    """Return words on one line, without credentials in their URLs, and without what could change a terminal."""
    return without_escapes(without_credentials(" ".join(words.split())))


def _all_shown(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_shown, given))


@attrs.frozen(repr=False)
class Finding(Readable):
    """Something that is wrong, and what mends it.

    Attributes:
        severity: Whether it is a problem or a warning.
        what: What is wrong, in one sentence.
        why: What shows it: a figure, or the words of the server; may be empty.
        advice: What to know before it is mended; may be empty.
        command: The command line that mends it.
        python: The line of Python that does the same with a session ``ml``; empty where none can.
    """

    severity: Severity
    what: str = attrs.field(converter=_shown)
    why: str = attrs.field(default="", converter=_shown)
    advice: str = attrs.field(default="", kw_only=True, converter=_shown)
    command: str = attrs.field(kw_only=True)
    python: str = attrs.field(default="", kw_only=True)


def _kept(given: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(given)


@attrs.frozen(repr=False)
class Checked(Readable):
    """The result of one check.

    Attributes:
        name: The name of the check, such as ``memory``.
        seen: What it saw, in a few words.
        findings: What is wrong.
        unchecked: What it could not check, and why.
    """

    name: str
    seen: str = attrs.field(default="", converter=_shown)
    findings: tuple[Finding, ...] = attrs.field(default=(), converter=_kept)
    unchecked: tuple[str, ...] = attrs.field(default=(), converter=_all_shown)

    @property
    def state(self) -> str:
        """The worst of it: ``problem``, ``warning``, ``unchecked`` or ``ok``."""
        found = {finding.severity for finding in self.findings}
        worst = next((str(severity) for severity in Severity if severity in found), None)
        return worst or ("unchecked" if self.unchecked else "ok")


def _in_order(given: Iterable[Checked]) -> tuple[Checked, ...]:
    return tuple(given)


@attrs.frozen(repr=False)
class Report(Readable):
    """A whole diagnosis: the results of its checks, in their order. Its ``str`` is readable."""

    checks: tuple[Checked, ...] = attrs.field(converter=_in_order)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong."""
        return tuple(finding for checked in self.checks for finding in checked.findings)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that keep models from working."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.PROBLEM)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """All that could not be checked, and why."""
        return tuple(words for checked in self.checks for words in checked.unchecked)

    @property
    def healthy(self) -> bool:
        """Whether there is no problem; there may be warnings, and things that could not be checked."""
        return not self.problems

    @property
    def summary(self) -> str:
        """The numbers of findings, in one sentence."""
        warnings = len(self.findings) - len(self.problems)
        counted = [_count(len(self.problems), "problem"), _count(warnings, "warning")]
        left = _count(len(self.unchecked), "thing") + " could not be checked"
        return ", ".join([*counted, *([left] if self.unchecked else [])])

    def __str__(self) -> str:
        return "\n".join([*self._lines(), self.summary])

    def _lines(self) -> Iterator[str]:
        for checked in self.checks:
            yield f"{checked.state}: {checked.name}: {checked.seen}".rstrip(": ")
            for finding in checked.findings:
                yield f"  {finding.severity}: {finding.what}"
                told = (finding.why, finding.advice, finding.command, finding.python)
                yield from (f"    {words}" for words in told if words)
            yield from (f"  could not check: {words}" for words in checked.unchecked)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
