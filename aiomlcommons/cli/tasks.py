"""``aiomlcommons tasks``: list tasks, and wait for one."""

from __future__ import annotations

import argparse
import sys

import anyio

from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.tables import moment, print_json, table
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


async def wait(options: argparse.Namespace) -> int:
    """Wait for the end of a task, and print each change of its state."""
    async with cluster(options) as ml:
        task = ml.task(options.task_id)
        try:
            with anyio.fail_after(options.timeout):
                async for info in task:
                    print(f"{info.task_type or 'task'} {options.task_id} {info.state}", file=sys.stderr)
                # Awaited too, because that follows a deployment which failed as a duplicate to the one that continues.
                info = await task
        except TimeoutError as error:
            print(f"aiomlcommons: task {options.task_id} has not ended in {options.timeout:g} s", file=sys.stderr)
            for note in getattr(error.__context__, "__notes__", ()):
                print(f"  {note}", file=sys.stderr)
            return 1
        print(f"{info.state}" + (f" model_id={info.model_id}" if info.model_id else ""))
        return 0
