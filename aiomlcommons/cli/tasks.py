"""``aiomlcommons tasks``: list tasks, and wait for one."""

from __future__ import annotations

import argparse
import sys

import anyio

from aiomlcommons.cli.common import cluster, note
from aiomlcommons.cli.exit_codes import OK, STILL_RUNNING
from aiomlcommons.cli.tables import moment, print_json, print_record, table
from aiomlcommons.wire import convert


async def show(options: argparse.Namespace) -> None:
    """List the newest tasks."""
    body = {"sort": [{"create_time": "desc"}], "size": options.last, "query": {"match_all": {}}}
    async with cluster(options) as ml:
        found = await ml.tasks.search(body)
    rows = [(hit.id, hit.source) for hit in found if hit.has_source]
    if options.json:
        print_json([{"task_id": key, **convert.unstructure(task)} for key, task in rows])
        return
    cells = [(key, t.task_type, t.state, t.model_id or "-", moment(t.create_time), t.error or "") for key, t in rows]
    print(table(("TASK_ID", "TYPE", "STATE", "MODEL_ID", "CREATED", "ERROR"), cells))


async def get(options: argparse.Namespace) -> None:
    """Show one task."""
    async with cluster(options) as ml:
        found = await ml.tasks.get(options.id)
    print_record({"task_id": options.id, **convert.unstructure(found)}, as_json=options.json)


async def wait(options: argparse.Namespace) -> int:
    """Wait for the end of a task, and print each change of its state."""
    async with cluster(options) as ml:
        task = ml.task(options.id)
        try:
            with anyio.fail_after(options.timeout):
                async for info in task:
                    note(options, f"{info.task_type or 'task'} {options.id} {info.state}")
                # Awaited too, because that follows a deployment which failed as a duplicate to the one that continues.
                info = await task
        except TimeoutError as error:
            print(f"aiomlcommons: task {options.id} has not ended in {options.timeout:g} s", file=sys.stderr)
            for words in getattr(error.__context__, "__notes__", ()):
                print(f"  {words}", file=sys.stderr)
            return STILL_RUNNING
    if options.json:
        print_json({"task_id": options.id, **convert.unstructure(info)})
    else:
        print(f"{info.state}" + (f" model_id={info.model_id}" if info.model_id else ""))
    return OK
