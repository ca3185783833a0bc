"""The event that tells how far a call is: of a model's lifecycle, a task, a stream of embeddings, or a bulk job."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.progress.words import amount, span


class Phase(StrEnum):
    """What a call is doing when it tells of its progress."""

    CHECKING = "checking"
    FOUND = "found"
    WAITING = "waiting"
    SETTING = "changing a setting"
    REGISTERING = "registering"
    UPLOADING = "uploading"
    DOWNLOADING = "downloading"
    REGISTERED = "registered"
    HEALING = "healing"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    UNDEPLOYED = "undeployed"
    DELETED = "deleted"
    TASK = "task"
    READING = "reading"
    EMBEDDING = "embedding"
    EVALUATING = "evaluating"
    FINISHING = "finishing"
    FINISHED = "finished"


@attrs.frozen(kw_only=True, repr=False)
class Progress(Readable):
    """A progress event: the phase, what it is about, and how far it is. ``str`` makes a line of text of it.

    Attributes:
        phase: What is being done.
        name: What it is done to: a model's name, a task, or the source and the sink of a job; empty if unknown.
        model_id: The model's id, once it has one.
        words: Details as text, such as what is waited for.
        done, total: How many are done, and of how many; None where nothing is counted, or no total is known.
        about: Whether ``total`` is an estimate.
        unit: What is counted: bytes, nodes, rows, texts, documents or searches.
        seconds: Seconds since the call began.
        rate: How many are done per second.
        eta: Seconds left at this rate.
        counts: The counts of a bulk job by name, as in its report: written, failed, retried and others.
        in_flight, limit: The requests of a bulk job that are under way, and the most that it sends at once.
        latency: Seconds that one of its requests takes, smoothed.
    """

    phase: Phase
    name: str = ""
    model_id: str | None = None
    words: str = ""
    done: int | None = None
    total: int | None = None
    about: bool = False
    unit: str = ""
    seconds: float = 0.0
    rate: float | None = None
    eta: float | None = None
    counts: Mapping[str, int] = MappingProxyType({})
    in_flight: int | None = None
    limit: int | None = None
    latency: float | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, between 0 and 1; None if the total is not known."""
        if self.done is None or not self.total:
            return None
        return min(1.0, self.done / self.total)

    @property
    def counted(self) -> str:
        """How far it is as text, like ``200 of about 1,000 documents``; empty if nothing is counted."""
        if self.done is None:
            return ""
        unit = "" if self.unit == "bytes" else f" {self.unit}"
        of = f" of {'about ' if self.about else ''}{amount(self.total, self.unit)}" if self.total else ""
        return f"{amount(self.done, self.unit)}{of}{unit}"

    @property
    def has_bar(self) -> bool:
        """Whether so much is counted that a bar shows how far it is; of nodes there are few."""
        return self.done is not None and self.unit != "nodes"

    @property
    def percent(self) -> str:
        """The part that is done as text, like ``20 %``; empty where that is not known or says nothing."""
        return "" if self.share is None or not self.has_bar else f"{int(100 * self.share)} %"

    @property
    def line(self) -> str:
        """The count and all figures as text, with commas between them; empty if nothing is counted."""
        shown = [self.counted, self.percent]
        if self.rate:
            shown.append(f"{amount(round(self.rate), self.unit)}/s")
        shown += [f"{self.in_flight or 0:,} of {self.limit:,} requests under way"] if self.limit else []
        shown += [f"{self.latency * 1000:,.0f} ms each"] if self.latency else []
        shown += [f"{self.counts[name]:,} {name}" for name in ("retried", "failed") if self.counts.get(name)]
        if self.eta and math.isfinite(self.eta):
            shown.append(f"{span(self.eta)} to go")
        return ", ".join(filter(None, shown))

    @property
    def figures(self) -> Mapping[str, str]:
        """What one watches beside the count, by name: rate, latency, requests, retries, failures, time left."""
        found: dict[str, str] = {}
        if self.rate is not None:
            found[f"{self.unit}/s"] = amount(round(self.rate), self.unit)
        if self.limit is not None:
            found["latency"] = f"{self.latency * 1000:,.0f} ms" if self.latency else "-"
            found["requests"] = f"{self.in_flight or 0:,} of {self.limit:,}"
            found |= {name: f"{self.counts.get(name, 0):,}" for name in ("retried", "failed")}
        found["time"] = span(self.seconds)
        if self.rate is not None and self.phase is not Phase.FINISHED:
            found["to go"] = span(self.eta)
        return found

    def __str__(self) -> str:
        # The report of a job, which are the words at its end, has all counts.
        figures = "" if self.phase is Phase.FINISHED and self.words else self.line
        line = " ".join(
            filter(None, [f"{self.phase}:", self.name, f"({self.model_id})" if self.model_id else "", figures])
        )
        return f"{line}{'; ' if figures or self.phase is Phase.FINISHED else ' '}{self.words}" if self.words else line


Tell: TypeAlias = Callable[[Progress], None]
"""What a part of a call tells its progress to, on the thread of the event loop."""
Callback: TypeAlias = Callable[[Progress], Any]
"""A function that is told of progress. If it returns an awaitable, that is awaited; what it raises ends the call."""
