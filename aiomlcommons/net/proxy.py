"""HTTP proxies: which one a request goes through, named by an option or by the environment."""

from __future__ import annotations

import base64
from typing import Any

import attrs
from yarl import URL

from aiomlcommons.deferred import urllib_request
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
            # What is given is not shown, because any part of it may be that of a password that is not quoted.
            words = "not another URL; a proxy is spoken to in plain HTTP, and a password in its URL must be quoted"
            raise ValueError(f"{name} must be like {EXAMPLE}, {words}")
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
    """The proxies of a session: one for every node, or the one that the environment names for some, or none."""

    every: Proxy | None = None
    of_environment: Proxy | None = None

    @classmethod
    def of(cls, proxy: str | None, scheme: str, *, trust_env: bool) -> Proxies:
        """Read the options; ``scheme`` is that of the nodes. Raises ValueError for what is no proxy, and for both."""
        if proxy is not None and trust_env:
            raise ValueError(
                "proxy and trust_env exclude each other: trust_env=True takes the proxy of the environment"
            )
        if proxy is not None:
            return cls(Proxy.parse("proxy", proxy))
        # Not by aiohttp's own trust_env: that would also send the credentials of ~/.netrc.
        named = urllib_request.getproxies() if trust_env else {}
        return cls(None, Proxy.parse(f"{scheme.upper()}_PROXY", named[scheme]) if scheme in named else None)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The credentials of the proxies."""
        used = [proxy.authorization for proxy in (self.every, self.of_environment) if proxy is not None]
        return tuple(secret for secret in used if secret is not None)

    def of_url(self, url: URL) -> Proxy | None:
        """Return the proxy for the URL of a node; NO_PROXY counts only for that of the environment."""
        if self.of_environment is None or urllib_request.proxy_bypass(f"{url.host}:{url.port}"):
            return self.every
        return self.of_environment


DIRECT = Proxies()
"""No proxy at all."""
