"""How an index comes to be: by a request, or by the first write to its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.indices import aliases, mappings, names, settings
from aiomlcommons.emulator.indices.semantic_mappings import expanded
from aiomlcommons.emulator.indices.state import UserIndex

KEYS = ("settings", "mappings", "aliases")


def create(cluster: Cluster, name: str, body: Mapping[str, Any] | None = None) -> UserIndex:
    """Create an index. Raises Refused if there is one, or for a name, mapping or setting that the server refuses."""
    body = body or {}
    for key in body:
        if key not in KEYS:
            raise refused(400, "parse_exception", f"unknown key [{key}] for create index")
    names.check_name(cluster, name)
    if name in cluster.own:
        raise _exists(cluster.own[name].uuid, name)
    given = settings.of_new(body.get("settings") or {})
    settings.check_plugins(cluster, given)
    index = UserIndex(
        name,
        existed=True,
        mappings=mappings.checked(expanded(cluster, body.get("mappings") or {}), is_knn=given.get("knn") == "true"),
        settings=settings.with_defaults(given),
        aliases={alias: aliases.kept(given) for alias, given in (body.get("aliases") or {}).items()},
        created=cluster.now(),
    )
    for alias, of_alias in (body.get("aliases") or {}).items():
        aliases.check_given(cluster, alias, of_alias)
        aliases.check(alias, {name: index.aliases, **{one.name: one.aliases for one in names.every(cluster)}})
    cluster.adopt(index)
    cluster.own[name] = index
    return index


def _exists(uuid: str, name: str) -> Exception:
    reason = f"index [{name}/{uuid}] already exists"
    return refused(400, "resource_already_exists_exception", reason, index=name, index_uuid=uuid)
