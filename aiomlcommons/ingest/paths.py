"""File names, as printable text and in errors."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from os import PathLike

_URL = re.compile(r"""\b([a-z][a-z0-9+.-]+)://([^/?\s'"<>]*@)?([^\s'"<>]*)""")
# Bytes, so that what is added to it fits into 255.
LONGEST = 180
# Names that Windows keeps for devices, whatever the suffix.
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


def printable(path: str | PathLike[str]) -> str:
    r"""Return a path as text for terminals and JSON; bytes that are not UTF-8 are escaped, as in ``\xe9``."""
    return os.fsencode(path).decode(errors="backslashreplace")


def file_name(name: str) -> str:
    """Return the name of an index or a function as part of a file name that every system takes."""
    plain = re.sub(r'[:"/\\|?*\s\x00-\x1f]', "_", re.sub("[<>]", "", name)).rstrip(".")
    if len(plain.encode()) > LONGEST:
        plain = f"{plain[: LONGEST // 4]}-{blake2b(plain.encode(), digest_size=8).hexdigest()}"
    return f"_{plain}" if plain.partition(".")[0].upper() in RESERVED or not plain else plain


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
