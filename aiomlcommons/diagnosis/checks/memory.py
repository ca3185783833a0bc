"""Memory and disk of the nodes, compared with the circuit breakers of ML Commons."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from aiomlcommons.api.settings import MLSettings
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.nodes import NodeUse
from aiomlcommons.diagnosis.remedies import setting
from aiomlcommons.lifecycle.remedies import remedy_in
from aiomlcommons.wire.version import Version

NAME = "memory"
# Percentage points below a threshold from which on it is near.
NEAR = 5
# A breaker of memory with this threshold never opens.
NEVER = 100
# What the server says, by which the table of remedies knows the breakers.
_NATIVE = "Native Memory Circuit Breaker is open"
_HEAP = "Memory Circuit Breaker is open"
_DISK = "Disk Circuit Breaker is open"
# Only these versions watch the memory of the machine; later ones keep the setting, and do not look at it:
# https://github.com/opensearch-project/ml-commons/pull/1015
_NATIVE_SINCE, _NATIVE_UNTIL = Version(2, 5), Version(2, 9)
# What counts on a server that does not have the setting yet.
_FIXED_HEAP, _FIXED_DISK = 85, "5gb"
_REFUSES = "local models cannot be registered, deployed or used"
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b)", re.IGNORECASE)


@attrs.frozen
class Limits:
    """From where on each breaker opens: percentages, and bytes that must be free. None is one that never opens."""

    memory: float | None
    heap: float | None
    disk: int | None

    @classmethod
    def of(cls, settings: MLSettings, version: Version | None) -> Limits:
        """Return the limits that a server of a version has with its settings."""
        watches_memory = version is not None and _NATIVE_SINCE <= version < _NATIVE_UNTIL
        heap, disk = settings.jvm_heap_memory_threshold, settings.disk_free_space_threshold
        return cls(
            memory=_percent(settings.native_memory_threshold) if watches_memory else None,
            heap=_percent(_FIXED_HEAP if heap is None else heap),
            disk=_bytes(_FIXED_DISK if disk is None else str(disk)),
        )


async def check(facts: Facts) -> Checked:
    """Compare each node with each breaker. What is true of this moment may change in the next."""
    uses = await facts.uses()
    limits = Limits.of(await facts.settings(), await facts.ml.version())
    findings = [finding for use in uses for finding in _findings(use, limits)]
    return Checked(NAME, "; ".join(_seen(use, limits) for use in uses), findings)


def _seen(use: NodeUse, limits: Limits) -> str:
    parts = [
        _of("memory", use.memory, limits.memory),
        _of("heap", use.heap, limits.heap),
        "" if use.free_disk is None else f"disk {_size(use.free_disk)} free",
    ]
    return f"{use.name}: {', '.join(filter(None, parts))}"


def _of(what: str, percent: float | None, limit: float | None) -> str:
    if percent is None:
        return ""
    return f"{what} {percent:g} %" + ("" if limit is None else f" of {limit:g} %")


def _findings(use: NodeUse, limits: Limits) -> Iterator[Finding]:
    yield from _memory(use.name, "memory", use.memory, limits.memory, _NATIVE)
    yield from _memory(use.name, "JVM heap", use.heap, limits.heap, _HEAP)
    if limits.disk is not None and use.free_disk is not None and use.free_disk < limits.disk:
        yield _open(
            _DISK,
            f"the disk breaker of {use.name} is open: {_REFUSES}",
            f"{_size(use.free_disk)} are free, and {_size(limits.disk)} are demanded",
            "free some disk; or switch the breaker off:",
        )


def _memory(node: str, what: str, percent: float | None, limit: float | None, words: str) -> Iterator[Finding]:
    if percent is None or limit is None:
        return
    figures = f"{what} is at {percent:g} %, and the breaker opens above {limit:g} %"
    if percent > limit:
        told = f"the {what} breaker of {node} is open: {_REFUSES}"
        yield _open(words, told, figures, "undeploy a model, or give the node more memory; or switch the breaker off:")
    elif percent > limit - NEAR:
        told = f"the {what} breaker of {node} is about to open"
        yield _open(words, told, figures, "undeploy a model, or give the node more memory", Severity.WARNING)


def _open(words: str, what: str, why: str, advice: str, severity: Severity = Severity.PROBLEM) -> Finding:
    remedy = remedy_in(words)
    assert remedy is not None  # noqa: S101 - a line of the table of remedies
    return Finding(severity, what, why, advice=advice, **setting({remedy.setting: remedy.value}))


def _percent(threshold: object) -> float | None:
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    return float(str(threshold)) if is_number and float(str(threshold)) < NEVER else None


def _bytes(text: str) -> int | None:
    """Return a size such as ``5gb`` in bytes; None for -1, which switches the breaker off, and for no size."""
    found = _SIZE.fullmatch(text.strip())
    return round(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def _size(number: float) -> str:
    return f"{number / (1 << 30):.1f} GB"
