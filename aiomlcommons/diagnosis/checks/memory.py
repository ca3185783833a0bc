"""Memory and disk of the nodes, compared with the circuit breakers of ML Commons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiomlcommons.api.settings import MLSettings
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.nodes import NodeUse
from aiomlcommons.diagnosis.remedies import setting
from aiomlcommons.lifecycle.remedies import remedy_in

NAME = "memory"
# What the server says, by which the table of remedies knows them.
_NATIVE = "Native Memory Circuit Breaker is open"
_HEAP = "Memory Circuit Breaker is open"
_DISK = "Disk Circuit Breaker is open"
# Percentage points below a threshold from which on it is near.
NEAR = 5
# A breaker with this threshold never opens.
NEVER = 100
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b)", re.IGNORECASE)


async def check(facts: Facts) -> Checked:
    """Compare each node with each breaker. What is true of this moment may change in the next."""
    uses = await facts.uses()
    settings = await facts.settings()
    findings = [finding for use in uses for finding in _findings(use, settings)]
    return Checked(NAME, "; ".join(_seen(use, settings) for use in uses), findings)


def _seen(use: NodeUse, settings: MLSettings) -> str:
    parts = [
        _of("memory", use.memory, settings.native_memory_threshold),
        _of("heap", use.heap, settings.jvm_heap_memory_threshold),
        "" if use.free_disk is None else f"disk {_size(use.free_disk)} free",
    ]
    return f"{use.name}: {', '.join(filter(None, parts))}"


def _of(what: str, percent: float | None, threshold: object) -> str:
    if percent is None:
        return ""
    return f"{what} {percent:g} %" + (f" of {threshold} %" if _limit(threshold) else "")


def _findings(use: NodeUse, settings: MLSettings) -> Iterator[Finding]:
    yield from _memory(use, "memory", use.memory, settings.native_memory_threshold, _NATIVE)
    yield from _memory(use, "JVM heap", use.heap, settings.jvm_heap_memory_threshold, _HEAP)
    least = _bytes(str(settings.disk_free_space_threshold or ""))
    if least is not None and use.free_disk is not None and use.free_disk < least:
        yield _open(
            _DISK,
            f"the disk breaker of {use.name} is open: it refuses to deploy and to predict",
            f"{_size(use.free_disk)} are free, and {_size(least)} are demanded",
            "free some disk, or lower the demand",
        )


def _memory(use: NodeUse, what: str, percent: float | None, threshold: object, words: str) -> Iterator[Finding]:
    limit = _limit(threshold)
    if percent is None or limit is None:
        return
    figures = f"{what} is at {percent:g} %, and the breaker opens above {limit:g} %"
    if percent > limit:
        what = f"the {what} breaker of {use.name} is open: it refuses to deploy and to predict"
        yield _open(words, what, figures, "undeploy a model or give the node more memory; or never open the breaker:")
    elif percent > limit - NEAR:
        what = f"the {what} breaker of {use.name} is about to open"
        yield _open(words, what, figures, "a model more may open it", Severity.WARNING)


def _open(words: str, what: str, why: str, advice: str, severity: Severity = Severity.PROBLEM) -> Finding:
    remedy = remedy_in(words)
    assert remedy is not None  # noqa: S101 - a line of the table of remedies
    return Finding(severity, what, why, advice=advice, **setting({remedy.setting: remedy.value}))


def _limit(threshold: object) -> float | None:
    """Return a threshold in percent; None where there is none, or it never opens the breaker."""
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    return float(threshold) if is_number and threshold < NEVER else None  # type: ignore[arg-type, operator]


def _bytes(text: str) -> int | None:
    """Return a size such as ``5gb`` in bytes; None for -1, which switches the breaker off, and for no size."""
    found = _SIZE.fullmatch(text.strip())
    return round(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def _size(number: float) -> str:
    return f"{number / (1 << 30):.1f} GB"
