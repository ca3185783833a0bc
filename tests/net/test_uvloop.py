"""Sessions on the event loop of uvloop, which a program chooses; the package never does."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import anyio
import pytest

from aiomlcommons import ConnectError, RequestTimeout, Session
from tests.support.recording_server import INFO, reply, serve

uvloop = pytest.importorskip("uvloop")


async def call_it() -> None:
    async with serve(reply(INFO), reply(INFO), reply(INFO)) as server:
        async with Session(server.url) as ml:
            first, second = await asyncio.gather(ml.info(), ml.info())
            assert first == second
            with anyio.CancelScope() as scope:
                scope.cancel()
                await ml.info()
            assert scope.cancelled_caught
            assert await ml.info() == first


async def fail_to_call() -> None:
    async with serve() as server:
        url = server.url
    async with Session(url, retries=0) as ml:
        with pytest.raises(ConnectError, match="cannot connect"):
            await ml.info()


async def wait_in_vain() -> None:
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client gives up
        writer.close()
        gone.set()

    gone = asyncio.Event()
    silent = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with Session(f"http://127.0.0.1:{port}", timeout=0.05, retries=0) as ml:
        with pytest.raises(RequestTimeout, match=r"within 0\.05 s"):
            await ml.info()
    await gone.wait()
    silent.close()
    await silent.wait_closed()


@pytest.mark.parametrize("main", [call_it, fail_to_call, wait_in_vain])
def test_a_session_works_on_it(main: object) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())  # type: ignore[operator]


def test_it_is_not_imported_unless_a_program_does() -> None:
    imports = "import sys, aiomlcommons.session, aiomlcommons.net.aiohttp_transport"
    code = f"{imports}; print('uvloop' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "False"
