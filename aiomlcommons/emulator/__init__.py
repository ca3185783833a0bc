"""An emulator of ML Commons for demos and tests: a real HTTP server that behaves as recordings of real servers do.

``async with emulator.serve() as url:`` serves a new one. ``Emulator()`` is an object to keep: ``.faults`` injects
faults, ``.serve()`` starts the server. It emulates model groups, models, tasks, predictions, training, controllers,
connectors, settings, statistics, agents, tools, MCP, context management, conversation memory and memory containers of
OpenSearch 3.4. ``Emulator(Cluster(version="3.8.0"))`` emulates a newer server with its routes and responses,
``Cluster(version="2.4.1")`` an old one with its names and errors. ``Cluster(streams=True)`` has the transport that
streams need, once they are enabled in the settings. ``cluster.machine`` is the node: its roles, and how full it
is, which opens circuit breakers. ``cluster.security = Security("ann", denied=["cluster:*"])`` is the security plugin
with one user; by default there are no users.

It is eventually consistent and has the race conditions of a real cluster: a record is updated a moment after the
response, searches still find deleted chunks, two clients can create groups of the same name, and of two concurrent
writes to one document the later one fails with a version conflict (optimistic concurrency). A delayed change becomes
visible after two reads, whatever the time; ``Emulator(refresh=AT_ONCE)`` disables the delay. ``.restart()`` leaves
models DEPLOYED in their records that no node has loaded.

It has small indices for the documents of a job and for searches of them: mappings, ``_bulk``, documents by id, queries
by value, by words (BM25), by weights and by k-NN (exact), points in time. Writes lag as on a real cluster, until a
``_refresh``. There are no pipelines, aggregations and scripts: what a server would do and the emulator cannot is 501.

``Emulator(aws=AwsVerifier("eu-west-1"))`` wants requests signed by AWS, and answers others in the words of Amazon's
gateways.

It runs no models: embeddings, weights, scores and responses are computed from the words that texts share, not from
their meaning. They are deterministic, and good enough to see that a program works, not to judge search results.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager

from aiomlcommons.emulator.app import Emulator
from aiomlcommons.emulator.aws import AwsVerifier
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.faults import Faults
from aiomlcommons.emulator.index import AT_ONCE, Refresh
from aiomlcommons.emulator.machine import Machine
from aiomlcommons.emulator.security import Security

__all__ = ["AT_ONCE", "AwsVerifier", "Cluster", "Emulator", "Faults", "Machine", "Refresh", "Security", "serve"]


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    username: str | None = None,
    password: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AbstractAsyncContextManager[str]:
    """Serve a new emulator while the context is open, and return its URL: ``async with serve() as url:``.

    See ``Emulator.serve`` for the options.
    """
    return Emulator().serve(host=host, port=port, username=username, password=password, ssl_context=ssl_context)
