"""What a long job says of itself while it goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias

import attrs

log = logging.getLogger("aiomlcommons")


class Phase(StrEnum):
    """How far a model is on its way from a name or a file to an answer."""

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


@attrs.frozen(kw_only=True)
class Progress:
    """One step: its phase, the model where it has an id already, and how much of the step is done.

    ``bytes_done`` of ``bytes_total`` and ``chunks_done`` of ``chunks_total`` count a file on its way to the cluster,
    ``nodes_done`` of ``nodes_total`` the nodes that have the model. ``words`` say the rest.
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
"""Told each step as it is taken; what it returns is not looked at, what it raises ends the job."""


def to_log(progress: Progress) -> None:
    """The report where none is given: the log of the package, at INFO."""
    log.info("%s", progress)
