"""Progress events of the model lifecycle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias

import attrs

from aiomlcommons.display.shown import Readable

log = logging.getLogger("aiomlcommons")


class Phase(StrEnum):
    """The phase of the lifecycle that a progress event reports."""

    DOWNLOADING = "downloading"
    CHECKING = "checking"
    FOUND = "found"
    WAITING = "waiting"
    SETTING = "changing a setting"
    REGISTERING = "registering"
    UPLOADING = "uploading"
    REGISTERED = "registered"
    HEALING = "healing"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    UNDEPLOYED = "undeployed"
    DELETED = "deleted"


@attrs.frozen(kw_only=True, repr=False)
class Progress(Readable):
    """A progress event: its phase, the model, and counters.

    Attributes:
        phase: What is being done.
        name: The model's name; empty if unknown.
        model_id: The model's id, once it has one.
        words: Details as text.
        bytes_done, bytes_total: The bytes of a file that are downloaded, hashed or uploaded.
        chunks_done, chunks_total: The chunks of a file that are uploaded.
        nodes_done, nodes_total: The nodes that have loaded the model.
    """

    phase: Phase
    name: str
    model_id: str | None = None
    words: str = ""
    bytes_done: int | None = None
    bytes_total: int | None = None
    chunks_done: int | None = None
    chunks_total: int | None = None
    nodes_done: int | None = None
    nodes_total: int | None = None

    def __str__(self) -> str:
        counted = [
            f"{done:,} of {total:,} {noun}"
            for noun, done, total in (
                ("bytes", self.bytes_done, self.bytes_total),
                ("chunks", self.chunks_done, self.chunks_total),
                ("nodes", self.nodes_done, self.nodes_total),
            )
            if done is not None and total is not None
        ]
        known = [self.name, f"({self.model_id})" if self.model_id else "", *counted, self.words]
        return " ".join([f"{self.phase}:", *filter(None, known)])


Report: TypeAlias = Callable[[Progress], Any]
"""A callback for progress events. Its return value is ignored; an exception that it raises aborts the call."""


def to_log(progress: Progress) -> None:
    """Log an event at INFO to the logger of the package; the default report."""
    log.info("%s", progress)
