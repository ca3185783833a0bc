"""The URLs of a session: validation, and the credentials in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yarl import URL

from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret

Urls = str | Sequence[str]
EXAMPLE = "url must be like 'https://host:9200'"
QUOTE = "quote the password in it, or give it in auth=..."


def check_url(url: Any) -> URL:
    """Parse and validate the cluster's URL. Raises TypeError or ValueError, which show nothing of it."""
    if not isinstance(url, str | URL):
        raise TypeError(f"{EXAMPLE}, not {type(url).__name__}")
    parsed = _parsed(url)
    # Nothing of the URL is shown, because any part of it may be that of a password that is not quoted.
    if parsed is None:
        raise ValueError(f"{EXAMPLE}: it has no valid host and port; {QUOTE}")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{EXAMPLE}: it must begin with https:// or http://, and a host must follow")
    if parsed.query_string or parsed.fragment:
        raise ValueError(f"{EXAMPLE}: it must have no query (?) and no fragment (#); {QUOTE}")
    if "@" in parsed.path:
        raise ValueError(f"{EXAMPLE}: {QUOTE}")
    if parsed.password is not None and not parsed.user:
        raise ValueError(f"{EXAMPLE}: it has a password without a user name; name both")
    return parsed


def _parsed(url: str | URL) -> URL | None:
    # The parser's error may quote the part of the password that it takes for the port: it must not be a context either.
    try:
        return URL(url)
    except ValueError:
        return None


def check_urls(urls: Any) -> list[URL]:
    """Parse and validate the URL of a cluster, or those of its nodes. Raises TypeError or ValueError."""
    if isinstance(urls, str | bytes) or not isinstance(urls, Sequence):
        return [check_url(urls)]
    if not urls:
        raise ValueError("url must name a node at least, not be an empty list")
    parsed = list(map(check_url, urls))
    if len({url.scheme for url in parsed}) > 1:
        raise ValueError("url must name nodes that all speak https, or all http: credentials would travel in the clear")
    return parsed


def bases_of(urls: Sequence[URL]) -> list[str]:
    """Return the bases of the URLs of a cluster, each once: a node that is named twice gets one turn."""
    return list(dict.fromkeys(map(base_of, urls)))


def credentials_in(urls: Sequence[URL]) -> BasicAuth | None:
    """Return the user name and password in the URLs of a cluster. Raises ValueError if they differ."""
    found = {(url.user, url.password or "") for url in urls if url.user is not None}
    if len(found) > 1:
        raise ValueError("url holds different credentials for different nodes: give them once, in auth=...")
    return next((BasicAuth(user or "", Secret(password)) for user, password in found), None)


def base_of(url: URL) -> str:
    """Return a URL without its credentials, and without a slash at its end."""
    return str(url.with_user(None)).rstrip("/")
