"""``aiomlcommons emulator`` and ``aiomlcommons call``."""

from __future__ import annotations

import argparse

import anyio

from aiomlcommons import emulator
from aiomlcommons.cli import calls
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.tables import print_json


async def serve(options: argparse.Namespace) -> None:
    """Serve the emulator until interrupted."""
    async with emulator.serve(host=options.host, port=options.port) as url:
        print(f"an emulated ML Commons answers at {url}; Ctrl-C ends it", flush=True)
        await anyio.sleep_forever()


async def call(options: argparse.Namespace) -> None:
    """Call any endpoint and print its response: JSON indented, anything else as it is.

    A prefix such as ``models``, or nothing, lists the endpoints that begin with it.
    """
    if len(options.words) < 2 and not calls.is_endpoint(*options.words):
        print(calls.listing(*options.words))
        return
    request = calls.request_of(options.words)
    async with cluster(options) as ml:
        response = await ml.raw(request)
    try:
        body = response.json()
    except ValueError:
        print(response.text, end="")  # a stream of events, or an empty body
    else:
        print_json(body)
