"""File names, as printable text and in errors."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike

_URL = re.compile(r"""\b([a-z][a-z0-9+.-]+)://([^/?\s'"<>]*@)?([^\s'"<>]*)""")


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


def redacted(text: str) -> str:
    """Return a text whose URLs have neither a user with a password nor a query, where signatures and tokens are."""
    return _URL.sub(_without_credentials, text)


def _without_credentials(url: re.Match[str]) -> str:
    scheme, user, rest = url[1], url[2] or "", url[3]
    is_web = scheme in {"http", "https"}
    if is_web or ":" in user:  # Azure has a container before its @
        user = ""
    path, _, query = rest.partition("?")
    if is_web or "=" in query.partition("/")[0]:  # elsewhere a ? may be the wildcard of a glob
        rest = path
    return f"{scheme}://{user}{rest}"
