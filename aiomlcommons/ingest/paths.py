"""File names, as printable text and in errors."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike


def printable(path: str | PathLike[str]) -> str:
    r"""Return a path as text for terminals and JSON; bytes that are not UTF-8 are escaped, as in ``\xe9``."""
    return os.fsencode(path).decode(errors="backslashreplace")


@contextmanager
def naming(path: str | PathLike[str]) -> Generator[None]:
    """Add the file name to an OSError that has none."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error
