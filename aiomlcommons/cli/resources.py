"""``aiomlcommons model-groups | connectors | agents``: list, show and delete what a cluster keeps."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiomlcommons.cli.common import cluster, confirmed
from aiomlcommons.cli.exit_codes import FAILED
from aiomlcommons.cli.tables import moment, print_json, print_record, results, table
from aiomlcommons.session import Session
from aiomlcommons.wire import convert


@attrs.frozen
class Kind:
    """A kind of resource: what one is called, the key of its id, its namespace, and the columns of a list."""

    one: str
    key: str
    space: Callable[[Session], Any]
    columns: Mapping[str, Callable[[Any], object]]


_KINDS = {
    "model-groups": Kind(
        "model group",
        "model_group_id",
        lambda ml: ml.model_groups,
        {
            "ACCESS": lambda group: group.access or "-",
            "LATEST_VERSION": lambda group: group.latest_version,
            "CREATED": lambda group: moment(group.created_time),
        },
    ),
    "connectors": Kind(
        "connector",
        "connector_id",
        lambda ml: ml.connectors,
        {
            "PROTOCOL": lambda connector: connector.protocol or "-",
            "VERSION": lambda connector: connector.version or "-",
            "DESCRIPTION": lambda connector: connector.description or "-",
        },
    ),
    "agents": Kind(
        "agent",
        "agent_id",
        lambda ml: ml.agents,
        {
            "TYPE": lambda agent: agent.type or "-",
            "MODEL_ID": lambda agent: agent.llm.model_id if agent.llm else "-",
            "CREATED": lambda agent: moment(agent.created_time),
        },
    ),
}


async def show(options: argparse.Namespace) -> None:
    """List the resources of a kind, all or those with a part in their name."""
    kind, part = _KINDS[options.noun], options.name.lower()
    async with cluster(options) as ml:
        hits = [hit async for hit in kind.space(ml).search()]
    rows = [(hit.id, hit.source) for hit in hits if hit.has_source and part in (hit.source.name or "").lower()]
    if options.json:
        print_json([{kind.key: key, **convert.unstructure(found)} for key, found in rows])
        return
    cells = [(key, found.name, *(cell(found) for cell in kind.columns.values())) for key, found in rows]
    print(table((kind.key.upper(), "NAME", *kind.columns), cells))


async def get(options: argparse.Namespace) -> None:
    """Show one resource."""
    kind = _KINDS[options.noun]
    async with cluster(options) as ml:
        found = await kind.space(ml).get(options.id)
    print_record({kind.key: options.id, **convert.unstructure(found)}, as_json=options.json)


async def delete(options: argparse.Namespace) -> int | None:
    """Delete resources, after confirmation."""
    kind = _KINDS[options.noun]
    if not confirmed(options, [f"{kind.one} {one}" for one in options.ids]):
        return FAILED
    async with cluster(options) as ml:
        with results(as_json=options.json) as take:
            for one in options.ids:
                result = (await kind.space(ml).delete(one)).result
                take({kind.key: one, "result": result}, f"{result} {one}")
    return None
