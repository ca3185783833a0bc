"""Settings that keep models from being registered or used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.api.settings import FIRST_MODEL, PREFIX, SOURCES
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.remedies import setting
from aiomlcommons.wire.features import Feature

NAME = "settings"


@attrs.frozen
class Switch:
    """A setting that allows something; ``without`` is what cannot be done while it is off."""

    name: str
    severity: Severity
    without: str


_SWITCHES = (
    Switch("local_model.enabled", Severity.PROBLEM, "local models are switched off: none can be registered or used"),
    Switch("remote_inference.enabled", Severity.WARNING, "remote models are switched off: no connector can be used"),
    Switch(
        "allow_registering_model_via_url",
        Severity.WARNING,
        "models cannot be registered from a URL, only pretrained and remote ones",
    ),
    Switch(
        "allow_registering_model_via_local_file",
        Severity.WARNING,
        "models cannot be registered from a file, only pretrained and remote ones",
    ),
)


async def check(facts: Facts) -> Checked:
    """Look for switches that are off. A setting that the server does not have, or hides, is no finding."""
    wire = (await facts.settings()).to_dict()
    if not wire:
        return Checked(NAME, unchecked=["the server does not show the settings of ML Commons"])
    findings = list(_off(wire, facts))
    blocked = [key.removeprefix(PREFIX) for key in _first_model() if wire.get(key) is False]
    words = f"of those for a first model, {', '.join(blocked)} are off" if blocked else "they allow a first model"
    return Checked(NAME, words, findings)


def _first_model() -> dict[str, bool]:
    """Return the switches among the settings that a first local model needs."""
    return {key: value for key, value in FIRST_MODEL.to_dict().items() if value is True}


def _off(wire: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    for switch in _SWITCHES:
        key = PREFIX + switch.name
        if wire.get(key) is not False or (key in SOURCES and not facts.ml.flavor.has(Feature.MODEL_SOURCE_SETTINGS)):
            continue  # a managed domain refuses to change it
        yield Finding(switch.severity, switch.without, f"{key} is false", **setting({switch.name: True}))
