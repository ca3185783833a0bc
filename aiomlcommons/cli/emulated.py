"""``aiomlcommons emulator``: serve an emulated cluster."""

from __future__ import annotations

import argparse

import anyio

from aiomlcommons import emulator
from aiomlcommons.cli.tables import print_line


async def serve(options: argparse.Namespace) -> None:
    """Serve the emulator until interrupted."""
    async with emulator.serve(host=options.host, port=options.port) as url:
        if options.json:
            print_line({"url": url})
        else:
            print(f"an emulated ML Commons answers at {url}; Ctrl-C ends it", flush=True)
        await anyio.sleep_forever()
