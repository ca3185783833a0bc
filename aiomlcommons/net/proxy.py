"""HTTP proxies: which one a request goes through, named by an option or by the environment."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Mapping
from typing import Any

import attrs
from yarl import URL

from aiomlcommons.net.secret import Secret

EXAMPLE = "'http://proxy:3128'"


@attrs.frozen
class Proxy:
    """A proxy that speaks HTTP: its URL without credentials, and the value of ``proxy-authorization``."""

    url: str
    authorization: Secret | None = None

    @classmethod
    def parse(cls, name: str, text: Any) -> Proxy:
        """Parse the URL that the option or variable ``name`` holds. Raises ValueError, which shows no password."""
        try:
            url = URL(text)
        except (TypeError, ValueError):
            url = URL()
        if url.scheme != "http" or not url.host or url.path not in {"", "/"} or url.query_string or url.fragment:
            given = repr(text.rpartition("@")[2]) if isinstance(text, str) else type(text).__name__
            raise ValueError(f"{name} must be like {EXAMPLE}, not {given}; a proxy is spoken to in plain HTTP")
        if url.user is None and url.password is None:
            return cls(str(url.origin()))
        pair = f"{url.user or ''}:{url.password or ''}".encode()
        return cls(str(url.origin()), Secret(f"Basic {base64.b64encode(pair).decode()}"))

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that are for the proxy alone; a new dictionary, since aiohttp changes it."""
        return {} if self.authorization is None else {"proxy-authorization": self.authorization.reveal()}


@attrs.frozen
class Proxies:
    """The proxies of a session: one for every URL, or those that the environment names, or none."""

    every: Proxy | None = None
    by_scheme: Mapping[str, Proxy] = attrs.field(factory=dict)

    @classmethod
    def of(cls, proxy: str | None, *, trust_env: bool) -> Proxies:
        """Read the options. Raises ValueError for a URL that is none of a proxy, and for both options at once."""
        if proxy is not None and trust_env:
            raise ValueError(
                "proxy and trust_env exclude each other: trust_env=True takes the proxy of the environment"
            )
        if proxy is not None:
            return cls(Proxy.parse("proxy", proxy))
        # Not by aiohttp's own trust_env: that would also send the credentials of ~/.netrc.
        named = urllib.request.getproxies() if trust_env else {}
        used = {scheme: named[scheme] for scheme in ("http", "https") if scheme in named}
        return cls(None, {scheme: Proxy.parse(f"{scheme.upper()}_PROXY", url) for scheme, url in used.items()})

    def of_url(self, url: URL) -> Proxy | None:
        """Return the proxy for the URL of a node; NO_PROXY counts only for proxies of the environment."""
        found = self.by_scheme.get(url.scheme)
        if found is None or urllib.request.proxy_bypass(f"{url.host}:{url.port}"):
            return self.every
        return found


DIRECT = Proxies()
"""No proxy at all."""
