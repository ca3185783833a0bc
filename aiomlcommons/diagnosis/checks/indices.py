"""The indices in which ML Commons keeps its records: their health, and whether they can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from aiomlcommons.diagnosis.denials import why
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.wire.features import Feature

NAME = "indices"
PATTERN = ".plugins-ml-*"
_BLOCKS = ("read_only_allow_delete", "read_only", "write")
_FLOOD = "read_only_allow_delete"


async def check(facts: Facts) -> Checked:
    """Ask for the health of the indices, and for their write blocks."""
    facts.ml.flavor.need(Feature.CLUSTER_SETTINGS, "GET /_cluster/health")
    query = {"level": "indices", "timeout": "5s"}
    health = (await facts.ml.request("GET", f"/_cluster/health/{PATTERN}", query=query)).json()
    indices: Mapping[str, Any] = health.get("indices") or {}
    findings = list(_red(facts.ml.url, indices))
    unchecked: list[str] = []
    try:
        query = {"flat_settings": "true", "expand_wildcards": "all"}
        settings = (await facts.ml.request("GET", f"/{PATTERN}/_settings", query=query)).json()
        findings += _blocked(facts.ml.url, settings)
    except MLCommonsError as error:
        unchecked.append(f"whether the indices can be written: {why(error)}")
    states = [str(index.get("status")) for index in indices.values()]
    seen = ", ".join(f"{states.count(state)} {state}" for state in ("green", "yellow", "red") if state in states)
    return Checked(NAME, seen or "none yet: there are no models", findings, unchecked)


def _red(url: str, indices: Mapping[str, Any]) -> Iterator[Finding]:
    red = sorted(name for name, index in indices.items() if index.get("status") == "red")
    if red:
        yield Finding(
            Severity.PROBLEM,
            f"red: {', '.join(red)}: some of their shards are on no node, so models and tasks cannot be read",
            advice="the cluster tells why a shard is not allocated; start the missing node, or restore a snapshot",
            command=f"curl -u admin {url.rstrip('/')}/_cluster/allocation/explain?pretty",
            python='(await ml.request("GET", "/_cluster/allocation/explain")).json()',
        )


def _blocked(url: str, settings: Mapping[str, Any]) -> Iterator[Finding]:
    for block in _BLOCKS:
        key = f"index.blocks.{block}"
        names = sorted(name for name, told in settings.items() if (told.get("settings") or {}).get(key) == "true")
        if not names:
            continue
        is_flood = block == _FLOOD
        why = f"{key} is true" + (", which OpenSearch sets when a disk passes its flood stage" if is_flood else "")
        # Quoted: a name comes from the server, and the command is pasted into a shell.
        path = f"/{','.join(quote(name, safe='') for name in names)}/_settings"
        body = {key: None}
        yield Finding(
            Severity.PROBLEM,
            f"no record can be written: {', '.join(names)}: nothing can be registered or deployed",
            why,
            advice="free some disk first" if is_flood else "",
            command=f"curl -u admin -X PUT {url.rstrip('/')}{path} -H 'content-type: application/json' "
            f"""-d '{{"{key}":null}}'""",
            python=f'await ml.request("PUT", "{path}", body={body!r})',
        )
