"""The options of a session that environment variables hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# What a program says of trust counts alone: no variable may weaken it.
_TRUST = frozenset({"verify", "ca_certs", "fingerprint", "ssl_context"})


def options_from(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are given, and those of the environment besides; an empty variable counts as unset.

    Raises ValueError, which names the variable.
    """
    found: dict[str, Any] = {}
    if username := environ.get("OPENSEARCH_USERNAME"):
        found["auth"] = BasicAuth(username, Secret(environ.get("OPENSEARCH_PASSWORD", "")))
    if ca_certs := environ.get("OPENSEARCH_CA_CERTS"):
        found["ca_certs"] = ca_certs
    if verify := environ.get("OPENSEARCH_VERIFY_CERTS"):
        found["verify"] = _flag("OPENSEARCH_VERIFY_CERTS", verify)
    if not _TRUST.isdisjoint(given):
        found = {name: value for name, value in found.items() if name not in _TRUST}
    return {**found, **given}


def _flag(name: str, text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{name} must be true, false, 1, 0, yes or no, not {text!r}") from None
