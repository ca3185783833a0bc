"""An emulated ML Commons for demos and tests: a real HTTP server, which behaves as the recordings of a real one do.

``async with emulator.serve() as url:`` serves a new one; ``Emulator()`` is one to keep, with ``.faults`` to make
trouble and ``.serve()``. It knows model groups, models, tasks, predictions, training, controllers, connectors,
settings, statistics, agents, tools, MCP, context management, conversation memory and memory containers, and follows
OpenSearch 3.4; ``Emulator(Cluster(version="3.8.0"))`` is a newer one, with the routes that came until then and with its
answers. ``Cluster(streams=True)`` has the transport that streams need, once they are switched on. It has no ML node and
no users.

It lags and races as a real cluster does: a record says a moment later what has happened, searches see chunks that are
deleted, two may take one name at once, and of two who write one document the later one meets a version conflict. What
lags is seen after two looks, whatever the clock says; ``Emulator(refresh=AT_ONCE)`` lets nothing lag. ``.restart()``
leaves models DEPLOYED that no node has. ``Cluster(version="2.4.1")`` speaks in the words of that server.

Its models are no models: embeddings, weights, scores and answers come from the words that texts share, not from what
they mean. They are the same everywhere and fit for seeing that a program works, not for judging what it finds.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager

from aiomlcommons.emulator.app import Emulator
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.faults import Faults
from aiomlcommons.emulator.index import AT_ONCE, Refresh

__all__ = ["AT_ONCE", "Cluster", "Emulator", "Faults", "Refresh", "serve"]


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    username: str | None = None,
    password: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AbstractAsyncContextManager[str]:
    """Serve a new emulator as long as the context is open, and give its URL: ``async with serve() as url:``.

    See ``Emulator.serve`` for the options.
    """
    return Emulator().serve(host=host, port=port, username=username, password=password, ssl_context=ssl_context)
