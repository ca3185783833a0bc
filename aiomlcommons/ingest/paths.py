"""Names of files: in errors, and as text."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike


def printable(path: str | PathLike[str]) -> str:
    r"""The name of a file as text that a terminal and JSON can hold; bytes that are no UTF-8 become ``\xe9``."""
    return os.fsencode(path).decode(errors="backslashreplace")


@contextmanager
def naming(path: str | PathLike[str]) -> Generator[None]:
    """Lets an OSError say which file it is about."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error
