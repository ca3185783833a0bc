"""Which OpenSearch and which ML Commons: the plugin, its version on each node, and what came only later."""

from __future__ import annotations

from collections.abc import Iterator

from aiomlcommons.api.endpoints import ENDPOINTS
from aiomlcommons.diagnosis.denials import why
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.nodes import ML_PLUGIN, Node
from aiomlcommons.errors import ApiError, MLCommonsError, NotSupported
from aiomlcommons.wire.features import Feature, feature_of
from aiomlcommons.wire.version import OLDEST, Version, is_unknown_route

NAME = "version"
_INSTALL = f"bin/opensearch-plugin install {ML_PLUGIN}"


async def check(facts: Facts) -> Checked:
    """Look for the plugin, by a route of it and in the lists of the nodes."""
    if not await _has_routes(facts):
        found = Finding(
            Severity.PROBLEM,
            "ML Commons is not installed: the cluster does not know its routes",
            advice="install the plugin on every node, and restart them",
            command=_INSTALL,
        )
        return Checked(NAME, await _opensearch(facts), [found])
    unchecked: list[str] = []
    nodes: list[Node] = []
    try:
        nodes = await facts.nodes()
    except MLCommonsError as error:
        unchecked.append(f"whether all nodes have the same version of ML Commons: {why(error)}")
    found_versions = {node.name: node.plugins.get(ML_PLUGIN) for node in nodes}
    return Checked(NAME, await _seen(facts, found_versions), _differences(found_versions), unchecked)


async def _has_routes(facts: Facts) -> bool:
    """Return whether a route that every version has is known. An error but that one says that it is."""
    try:
        await facts.ml.models.search({"size": 1, "_source": False})
    except ApiError as error:
        return not is_unknown_route(error)
    except NotSupported:
        return True
    return True


async def _opensearch(facts: Facts) -> str:
    if not facts.ml.flavor.has(Feature.INFO):
        return f"{facts.ml.flavor.title}, which has no version"
    version = await facts.ml.version()
    return f"{facts.ml.flavor.title} {version}" if version else "the version may not be asked for"


async def _seen(facts: Facts, versions: dict[str, str | None]) -> str:
    found = ", ".join(sorted({version for version in versions.values() if version}))
    version = await facts.ml.version()
    missing = ", ".join(_missing(version)) if version else ""
    return (
        await _opensearch(facts)
        + (f", ML Commons {found}" if found else "")
        + (f"; not yet there: {missing}" if missing else "")
    )


def _missing(version: Version) -> Iterator[str]:
    """Yield the parts of the API that came after a version, and with which."""
    first: dict[Feature, Version] = {}
    for request in ENDPOINTS:
        feature = feature_of(request)
        since = OLDEST if request.endpoint.was else Version.parse(request.endpoint.since)
        if feature is not None:
            first[feature] = min(first.get(feature, since), since)
    for feature, since in sorted(first.items(), key=lambda item: item[1]):
        if version < since:
            yield f"{feature} ({since})"


def _differences(versions: dict[str, str | None]) -> Iterator[Finding]:
    known = {version for version in versions.values() if version}
    lacking = [name for name, version in versions.items() if version is None]
    if known and lacking:
        yield Finding(
            Severity.WARNING,
            f"nodes without ML Commons: {', '.join(lacking)}",
            "requests that reach them are refused, and they run no models",
            advice="install the plugin on them, and restart them",
            command=_INSTALL,
        )
    if len(known) > 1:
        yield Finding(
            Severity.WARNING,
            f"the nodes run different versions of ML Commons: {', '.join(sorted(known))}",
            ", ".join(f"{name} {version}" for name, version in versions.items() if version),
            advice="bring all nodes to one version: finish the upgrade",
            command=_INSTALL,
        )
