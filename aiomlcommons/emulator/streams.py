"""Streams of words: a server without the streaming transport has none, and the emulator is one of these."""

from __future__ import annotations

from typing import Any

from aiomlcommons import wire
from aiomlcommons.api.agent_runs import ExecuteAgentStream
from aiomlcommons.api.predict import PredictStream
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request


@handles(PredictStream, ExecuteAgentStream)
async def stream(_: Cluster, request: Request[Any]) -> None:
    """Refused as by a server that was not set up for it."""
    http = wire.to_http(request)
    words = "The engine does not support HTTP streaming, unable to serve uri"
    raise refused(500, "illegal_state_exception", f"{words} [{http.path}] and method [{http.method}]")
