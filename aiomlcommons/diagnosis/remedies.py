"""Remedies as they are typed: on the command line, and in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, TypedDict

import orjson

from aiomlcommons.api.settings import PREFIX, MLSettings


class Typed(TypedDict):
    """The command and the line of Python that mend a finding."""

    command: str
    python: str


def typed(*words: str, python: str) -> Typed:
    """Return a command of ``aiomlcommons`` and the same in Python."""
    return {"command": shlex.join(["aiomlcommons", *words]), "python": python}


def setting(values: Mapping[str, Any]) -> Typed:
    """Return what changes settings, by their names without the prefix."""
    words = [f"{name}={_text(value)}" for name, value in values.items()]
    wanted = MLSettings.from_wire({PREFIX + name: value for name, value in values.items()})
    return typed("settings", "set", *words, python=f"await ml.settings.apply({wanted!r})")


def deploying(model_id: str, *, change_settings: bool = False) -> Typed:
    """Return what deploys a model, and waits until it is deployed; it changes settings that prevent it if told so."""
    words, argument = (["--change-settings"], ", change_settings=True") if change_settings else ([], "")
    return typed("models", "deploy", model_id, *words, python=f"await ml.models.ensure({model_id!r}{argument})")


def deleting(model_id: str) -> Typed:
    """Return what undeploys and deletes a model."""
    return typed("models", "delete", model_id, python=f"await ml.models.remove({model_id!r})")


def uploading() -> Typed:
    """Return what registers a model from a file of this machine."""
    return {
        "command": "aiomlcommons models upload PATH",
        "python": "await ml.models.ensure(FileModel(path=path))",
    }


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
