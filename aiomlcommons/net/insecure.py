"""Warnings that cannot be missed: any certificate is accepted, or a credential would travel unencrypted."""

from __future__ import annotations

import ipaddress
import logging
import sys
import warnings
from collections.abc import Iterable

from yarl import URL

from aiomlcommons.errors import InsecureWarning
from aiomlcommons.net.tls import TLS

log = logging.getLogger("aiomlcommons")


def warn_of_insecure(urls: Iterable[str], tls: TLS, *, credentials: bool) -> None:
    """Warn of a session whose connections others on the network can read or pose in."""
    for url in map(URL, urls):
        where = url.origin()
        if url.scheme == "https" and tls.insecure:
            words = (
                f"the certificate of {where} is not verified, so anyone on the network may pose as the cluster and "
                "read passwords: name its authority in ca_certs=... or OPENSEARCH_CA_CERTS, or pin fingerprint=..."
            )
            # Logged as well, because Python shows a warning of the same line only once.
            log.warning("%s", words)
            warnings.warn(words, InsecureWarning, stacklevel=_level())
        elif url.scheme == "http" and credentials and not _is_loopback(url.host or ""):
            log.warning(
                "the credentials for %s travel unencrypted: everyone on the way can read them; use https", where
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _level() -> int:
    """Return the stacklevel, seen from the caller, of the nearest frame outside of this package."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level
