"""The options of a session that environment variables hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiomlcommons.net.auth import Auth, BasicAuth
from aiomlcommons.net.aws import AwsAuth
from aiomlcommons.net.rules import MAPPING
from aiomlcommons.net.secret import Secret

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# What a program says of trust counts alone: no variable may weaken it.
_TRUST = frozenset({"verify", "ca_certs", "fingerprint", "ssl_context"})


def urls_from(environ: Mapping[str, str]) -> str | list[str]:
    """Return the URL of OPENSEARCH_URL, or those of several nodes in it. Raises ValueError if it is not set."""
    MAPPING.check("environ", environ)
    # Only a comma before a scheme divides URLs: a password may hold one.
    urls = [url.strip() for url in re.split(r",\s*(?=https?://)", environ.get("OPENSEARCH_URL", "").strip(" ,"))]
    if urls == [""]:
        raise ValueError("OPENSEARCH_URL is not set; it must be like 'https://host:9200'")
    return urls if len(urls) > 1 else urls[0]


def options_from(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are given, and those of the environment besides; an empty variable counts as unset.

    Raises ValueError, which names the variable.
    """
    found: dict[str, Any] = {}
    if (auth := _auth(environ)) is not None:
        found["auth"] = auth
    if ca_certs := environ.get("OPENSEARCH_CA_CERTS"):
        found["ca_certs"] = ca_certs
    if verify := environ.get("OPENSEARCH_VERIFY_CERTS"):
        found["verify"] = _flag("OPENSEARCH_VERIFY_CERTS", verify)
    if tenant_id := environ.get("OPENSEARCH_TENANT_ID"):
        found["tenant_id"] = tenant_id
    if not _TRUST.isdisjoint(given):
        found = {name: value for name, value in found.items() if name not in _TRUST}
    return {**found, **given}


def _auth(environ: Mapping[str, str]) -> Auth | None:
    username, region, service = (
        environ.get(f"OPENSEARCH_{name}") for name in ("USERNAME", "AWS_REGION", "AWS_SERVICE")
    )
    if not (region or service):
        return BasicAuth(username, Secret(environ.get("OPENSEARCH_PASSWORD", ""))) if username else None
    if username:
        raise ValueError("OPENSEARCH_USERNAME and OPENSEARCH_AWS_REGION or OPENSEARCH_AWS_SERVICE are set: keep one")
    if service not in {None, "", "es", "aoss"}:
        raise ValueError(f"OPENSEARCH_AWS_SERVICE must be es or aoss, not {service!r}")
    return AwsAuth(region or None, "aoss" if service == "aoss" else "es")


def _flag(name: str, text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{name} must be true, false, 1, 0, yes or no, not {text!r}") from None
