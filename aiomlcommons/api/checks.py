"""Validation rules that several requests share: each yields messages that name the field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# The server unpacks a model into a folder of its name; with these extensions it mistakes the folder for an archive or
# for the model file. "x.ZIP" is affected too, "x.PT" is not.
_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tar\.gz|tar\.z)$", re.IGNORECASE)
_TORCH_FILE = ".pt"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
LONGEST_ID = 512


def at_most_one(request: Any, *names: str) -> Iterator[str]:
    """Check that at most one of several fields is given."""
    given = [name for name in names if getattr(request, name) is not None]
    if len(given) > 1:
        yield f"{' and '.join(given)} exclude each other: give one of them"


def own_id(request: Any, name: str) -> Iterator[str]:
    """Check an id that the caller chooses."""
    value = getattr(request, name)
    if value is not None and len(value) > LONGEST_ID:
        yield f"{name} may have {LONGEST_ID} characters at most, not {len(value)}"
    elif value is not None and not _ID.fullmatch(value):
        yield f"{name} may hold letters, digits, '_' and '-', and begin with a letter or digit, not {value!r}"


def between(request: Any, name: str, least: float, most: float) -> Iterator[str]:
    """Check that a number is within bounds."""
    value = getattr(request, name)
    if value is not None and not least <= value <= most:
        yield f"{name} must be between {least} and {most}, not {value}"


def not_empty(request: Any, name: str) -> Iterator[str]:
    """Check that a list, if given, is not empty."""
    value = getattr(request, name)
    if value is not None and len(value) == 0:
        yield f"{name} must not be empty"


def deployable_name(name: str, model_format: str | None) -> Iterator[str]:
    """Check the name of a local model: with some file extensions the cluster registers it, but cannot deploy it."""
    found = _ARCHIVE.search(name)
    torch = (model_format or "TORCH_SCRIPT").upper() == "TORCH_SCRIPT"
    if found or (torch and name.endswith(_TORCH_FILE)):
        ending = found[0] if found else _TORCH_FILE
        yield f"name must not end in {ending}: no node could deploy a model of the name {name!r}"


def name_of_file(file_name: str) -> str:
    """Derive a model's name from that of its file or folder."""
    return _ARCHIVE.sub("", file_name).removesuffix(_TORCH_FILE)
