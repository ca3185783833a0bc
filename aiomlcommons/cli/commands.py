"""What ``emulator`` and ``call`` do."""

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
    """Call any endpoint and print what it answers: JSON indented, anything else as it is.

    A word that is no endpoint by itself, such as ``models``, lists those that begin with it.
    """
    if len(options.words) < 2 and not calls.is_endpoint(*options.words):
        print(calls.listing(*options.words))
        return
    request = calls.request_of(options.words)
    async with cluster(options) as ml:
        got = await ml.raw(request)
    try:
        answer = got.json()
    except ValueError:
        print(got.text, end="")  # a stream of events, or an answer that says nothing
    else:
        print_json(answer)
