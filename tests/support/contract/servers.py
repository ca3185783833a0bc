"""The server under test, and the settings that the suite needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import attrs

from aiomlcommons import NULL, Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Emulator

RECOVERING = 4
"""The number of requests that an emulator refuses after a restart."""


@attrs.frozen
class Server:
    """A server; ``restart`` kills it and starts it again, where that is possible.

    ``stall_timeout`` is in seconds: short on an emulator, where nothing happens by itself as time passes.
    """

    url: str
    restart: Callable[[], Awaitable[None]] | None = None
    stall_timeout: float = 600.0

    def session(self) -> Session:
        """Return a session, configured by the environment except for the URL."""
        return Session.from_env({**os.environ, "OPENSEARCH_URL": self.url})


@asynccontextmanager
async def server(url: str | None, restart_command: str | None = None) -> AsyncGenerator[Server]:
    """Yield the server at ``url``, or a new emulator."""
    if url is not None:
        yield Server(url, partial(_run, restart_command) if restart_command else None)
        return
    emulator = Emulator()

    async def restart() -> None:
        emulator.restart(recovering=RECOVERING)

    async with emulator.serve() as served_at:
        yield Server(served_at, restart, stall_timeout=0.5)


async def _run(command: str) -> None:
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, f"{command!r} failed"


def allowed(loopback: str) -> MLSettings:
    """Return the settings that the suite needs, with providers on this machine."""
    return MLSettings(
        only_run_on_ml_node=False,
        allow_registering_model_via_url=True,
        allow_registering_model_via_local_file=True,
        native_memory_threshold=99,
        connector_private_ip_enabled=True,
        trusted_connector_endpoints_regex=[rf"^http://{loopback.replace('.', '[.]')}:.*$"],
        model_access_control_enabled=NULL,
    )
