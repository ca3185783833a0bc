"""Connectors whose hosts the settings do not trust, or do not allow."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from yarl import URL

from aiomlcommons.api.connectors import Connector, McpConnector
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.remedies import setting
from aiomlcommons.errors import NotSupported

NAME = "connectors"
_TRUSTED = "trusted_connector_endpoints_regex"
_PRIVATE = "connector.private_ip_enabled"
_PARAMETER = re.compile(r"\$\{parameters\.([^}]+)\}")


async def check(facts: Facts) -> Checked:
    """Compare the URL of each connector with the settings."""
    try:
        connectors = await facts.connectors()
    except NotSupported as error:
        return Checked(NAME, f"none: {error}")
    settings = await facts.settings()
    findings: list[Finding] = []
    unchecked: list[str] = []
    for connector_id, connector in connectors:
        name = f"{connector.name or 'a connector'} ({connector_id})"
        for url in dict.fromkeys(_urls(connector)):
            try:
                findings += _findings(name, url, settings)
            except (ValueError, re.error) as error:
                unchecked.append(f"the URL of {name}: {error}")
    return Checked(NAME, f"{len(connectors)} known" if connectors else "none", findings, unchecked)


def _urls(connector: Connector) -> Iterator[str]:
    given = [connector.url] if isinstance(connector, McpConnector) else [one.url for one in connector.actions or ()]
    parameters: Mapping[str, str] = connector.parameters or {}
    for url in given:
        yield _PARAMETER.sub(lambda found: parameters.get(found[1], found[0]), url)


def _findings(name: str, url: str, settings: MLSettings) -> Iterator[Finding]:
    # The rest of a URL may hold a credential.
    parsed = URL(_PARAMETER.sub("x", url))
    host, trusted = parsed.host or "", settings.trusted_connector_endpoints_regex
    if isinstance(trusted, list) and not any(re.fullmatch(pattern, url) for pattern in trusted):
        wider = [*trusted, _pattern(parsed)]
        yield Finding(
            Severity.WARNING,
            f"the host of {name} is not trusted: {host}",
            f"no regular expression of plugins.ml_commons.{_TRUSTED} matches its URL",
            advice="it cannot be created anew, nor be updated",
            **setting({_TRUSTED: wider}),
        )
    if settings.connector_private_ip_enabled is False and _is_private(host):
        yield Finding(
            Severity.PROBLEM,
            f"the host of {name} has a private address, which is not allowed: {host}",
            f"plugins.ml_commons.{_PRIVATE} is false",
            **setting({_PRIVATE: True}),
        )


def _pattern(url: URL) -> str:
    """Return a regular expression, of Java as of Python, that a URL of this host matches."""
    host = (url.host or "").replace(".", r"\.")
    return rf"^{url.scheme}://{host}(:\d+)?/.*$"


def _is_private(host: str) -> bool:
    """Return whether a host is, by its name, on a private network; what others resolve to only the cluster knows."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
