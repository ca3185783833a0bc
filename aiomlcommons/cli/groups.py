"""``aiomlcommons groups``: list and delete model groups."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.common import REFUSED, cluster, confirmed
from aiomlcommons.cli.tables import moment, print_json, table
from aiomlcommons.wire import convert


async def show(options: argparse.Namespace) -> None:
    """List the model groups."""
    async with cluster(options) as ml:
        hits = [hit async for hit in ml.model_groups.search()]
    rows = [(hit.id, hit.source) for hit in hits if hit.has_source]
    if options.json:
        print_json([{"model_group_id": key, **convert.unstructure(group)} for key, group in rows])
        return
    cells = [(key, g.name, g.access or "-", g.latest_version, moment(g.created_time)) for key, g in rows]
    print(table(("MODEL_GROUP_ID", "NAME", "ACCESS", "LATEST_VERSION", "CREATED"), cells))


async def delete(options: argparse.Namespace) -> int | None:
    """Delete empty model groups, after confirmation."""
    if not confirmed(options, [f"model group {group_id}" for group_id in options.groups]):
        return REFUSED
    async with cluster(options) as ml:
        for group_id in options.groups:
            print(f"{(await ml.model_groups.delete(group_id)).result} {group_id}")
    return None
