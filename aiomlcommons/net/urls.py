"""The URLs of a session: validation, and the credentials in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yarl import URL

from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret

Urls = str | Sequence[str]


def check_url(url: Any) -> URL:
    """Parse and validate the cluster's URL. Raises TypeError or ValueError, which show no password."""
    if not isinstance(url, str | URL):
        raise TypeError(f"url must be like 'https://host:9200', not {type(url).__name__}")
    try:
        parsed = URL(url)
    except ValueError as error:
        raise ValueError(f"url must be like 'https://host:9200': {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query_string or parsed.fragment:
        raise ValueError(f"url must be like 'https://host:9200', not {str(url).rpartition('@')[2]!r}")
    if "@" in parsed.path:
        raise ValueError("url must be like 'https://host:9200': quote the password, or give it in auth=...")
    return parsed


def check_urls(urls: Any) -> list[URL]:
    """Parse and validate the URL of a cluster, or those of its nodes, each once. Raises TypeError or ValueError."""
    if isinstance(urls, str | bytes) or not isinstance(urls, Sequence):
        return [check_url(urls)]
    if not urls:
        raise ValueError("url must name a node at least, not be an empty list")
    parsed = list(dict.fromkeys(map(check_url, urls)))
    if len({url.scheme for url in parsed}) > 1:
        raise ValueError("url must name nodes that all speak https, or all http: credentials would travel in the clear")
    return parsed


def credentials_in(urls: Sequence[URL]) -> BasicAuth | None:
    """Return the user name and password in the URLs of a cluster. Raises ValueError if they differ."""
    found = {(url.user, url.password or "") for url in urls if url.user is not None}
    if len(found) > 1:
        raise ValueError("url holds different credentials for different nodes: give them once, in auth=...")
    return next((BasicAuth(user or "", Secret(password)) for user, password in found), None)


def base_of(url: URL) -> str:
    """Return a URL without its credentials, and without a slash at its end."""
    return str(url.with_user(None)).rstrip("/")
