"""The files that paths, globs and folders name, here and elsewhere."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources.remote import Location, RemotePath, location

Names: TypeAlias = "str | PathLike[str] | Iterable[str | PathLike[str]]"
# What lies beside data and has none: suffixes, and the names of what the datasets of Hugging Face write.
NO_DATA = {".md", ".txt", ".rst", ".html", ".yaml", ".yml", ".crc", ".lock"}
DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}


def names(paths: Names) -> list[str]:
    """Return paths as text, without credentials."""
    return [printable(path) for path in _each(paths)]


def listed(paths: Names) -> list[Location]:
    """Return the files of paths, globs and folders, in the order of their names. It blocks.

    Raises FileNotFoundError for a path or a glob without a file, InvalidRequest for a file that is named twice.
    """
    found = sorted((file for path in _each(paths) for file in _files(path)), key=printable)
    for one, next_one in pairwise(found):
        if one == next_one:
            raise InvalidRequest(f"{printable(one)} is named twice: its rows would be read twice")
    return found


def would_list(paths: Names, path: str) -> bool:
    """Return whether a file of this machine, by its resolved path, is one of those listed, or would be. It blocks."""
    for each in _each(paths):
        if isinstance(each, RemotePath):
            continue
        parts = Path(os.path.realpath(each)).parts
        if _matches(Path(path).parts, (*parts, "**", "*") if each.is_dir() else parts):
            return True
    return False


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Return whether a path matches a glob, part by part."""
    if not pattern or not parts:
        return not parts and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    same = fnmatch(parts[0], pattern[0]) or parts[0] == pattern[0]
    return same and _matches(parts[1:], pattern[1:])


def is_several(path: Location) -> bool:
    """Return whether a path is a glob, not a file of that very name. It blocks."""
    text = path.url if isinstance(path, RemotePath) else os.fspath(path)
    if isinstance(path, RemotePath):
        # A web server takes what follows a question mark as parameters.
        return glob.has_magic(text.partition("?")[0] if text.startswith("http") else text)
    return glob.has_magic(text) and not os.path.lexists(path)


def in_folder(path: Location) -> list[Location]:
    """Return the files of a folder and those below it that may hold data, in the order of their names. It blocks.

    Raises FileNotFoundError if there are none.
    """
    found: list[Location] = sorted(path.walk() if isinstance(path, RemotePath) else _walked(path), key=printable)
    within = len(Path(path).parts)
    files = [file for file in found if _holds_data(Path(file).parts[within:])]
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no file of data in the folder", printable(path))
    return files


def _each(paths: Names) -> Iterator[Location]:
    yield from map(location, (paths,) if isinstance(paths, str | PathLike) else paths)


def _files(path: Location) -> list[Location]:
    if is_several(path):
        return _matching(path)
    return in_folder(path) if path.is_dir() else [path]


def _matching(path: Location) -> list[Location]:
    if isinstance(path, RemotePath):
        found: list[Location] = [*path.glob()]
    else:
        # Path.glob takes no absolute patterns.
        matches = map(Path, glob.glob(os.fspath(path), recursive=True))  # noqa: PTH207
        found = [match for match in matches if not match.is_dir()]
    if not found:
        raise FileNotFoundError(errno.ENOENT, "no file matches", printable(path))
    return found


def _walked(path: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(path):
        yield from (Path(folder, file) for file in files)


def _holds_data(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith((".", "_")) for part in parts)
    return not hidden and parts[-1] not in DESCRIPTIONS and Path(parts[-1]).suffix.lower() not in NO_DATA
