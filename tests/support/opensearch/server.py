"""Runs a real OpenSearch on free ports, with its own data, and never as root.

Most tests need ``async with running() as url``; ``async with serving() as server`` is for those that stop the server,
kill it and start it again with the same data and port.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from anyio import to_thread

from tests.support.opensearch.artifacts import VECTORS, Distribution
from tests.support.opensearch.gather import gathered
from tests.support.opensearch.java import NEEDED, java

HEAP = "1g"

# A server of a few tests starts with half the work without a second compiler.
FAST = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# Seconds. A start takes 10 to 20 on an idle machine, and minutes on one that many share.
START, STOP, PAUSE = 600.0, 30.0, 0.1

# It is ready when its indices can be searched again.
READY = "/_cluster/health?wait_for_status=yellow&timeout=1s"

# The server refuses to run as root; these are the usual ids of "nobody".
NOBODY = 65534

WRITTEN = ("config", "data", "logs", "tmp")

LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Start a server and yield its URL; stop it and delete its data at the end."""
    async with serving() as server:
        yield server.url


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Start a server and yield an object that can stop, kill and restart it; call its methods in a thread."""
    server = await to_thread.run_sync(Server)
    try:
        await to_thread.run_sync(server.start)
        yield server
    finally:
        server.close()


class Server:
    """A server and its data, which survive ``stop`` and ``kill`` and are deleted by ``close``.

    Raises RuntimeError where there is no Java for it, and where Maven fails.
    """

    def __init__(
        self, heap: str = HEAP, distribution: Distribution = VECTORS, java_options: Sequence[str] = ()
    ) -> None:
        found, source = java(), gathered(distribution)
        if found is None:
            raise RuntimeError(f"OpenSearch needs a Java of version {NEEDED} or newer")
        self.heap, self.port, self._java, self._java_options = heap, 0, found, java_options
        self._process: subprocess.Popen[bytes] | None = None
        self.home = Path(tempfile.mkdtemp(prefix="opensearch-"))
        self.log = self.home / "logs" / "console.log"
        self._lay_out(source)

    _credentials: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """The URL, the same after every start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The id of its process, or None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it responds; raise RuntimeError with the end of its log where it does not."""
        self.spawn()
        self.wait()

    def spawn(self) -> None:
        """Start it without waiting."""
        self._ports.unlink(missing_ok=True)
        settings = "".join(f"{key}: {json.dumps(value)}\n" for key, value in self._settings().items())
        self._configure("opensearch.yml", settings)
        self._process = self._spawned()

    def wait(self) -> None:
        """Wait until it responds; kill it and raise RuntimeError with the end of its log where it does not."""
        assert self._process is not None, "it is not started"
        try:
            self._wait_until(self._answers, self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Terminate it gracefully; kill it after 30 seconds."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """Kill it with ``kill -9``."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it and delete its data."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def tail(self, lines: int = 60) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # ---- before the start ------------------------------------------------------------------------------------------

    @property
    def _ports(self) -> Path:
        return self.home / "logs" / "http.ports"

    def _lay_out(self, source: Path) -> None:
        shutil.copytree(source, self.home, copy_function=_link, dirs_exist_ok=True)
        for name in WRITTEN:
            (self.home / name).mkdir()
        self._configure("log4j2.properties", LOGGING)
        if os.geteuid() == 0:
            for path in (self.home, *(self.home / name for name in WRITTEN)):
                os.chown(path, NOBODY, NOBODY)

    def _configure(self, name: str, text: str) -> None:
        path = self.home / "config" / name
        path.write_text(text)
        path.chmod(0o644)  # the server runs as another user if the tests run as root

    def _settings(self) -> Mapping[str, Any]:
        # Port 0 is a free one, which the server writes into its ports file, so that there is no race for it.
        return {
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": 0,
            "node.portsfile": True,
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }

    def _spawned(self) -> subprocess.Popen[bytes]:
        root = os.geteuid() == 0
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                user=NOBODY if root else None,
                group=NOBODY if root else None,
                extra_groups=[] if root else None,
            )

    def _command(self) -> Sequence[str | Path]:
        return [
            self._java,
            *(f"-Xms{self.heap}", f"-Xmx{self.heap}", *self._java_options),
            *("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"),
            f"-Djava.io.tmpdir={self.home / 'tmp'}",
            f"-Dopensearch.path.home={self.home}",
            f"-Dopensearch.path.conf={self.home / 'config'}",
            *("-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=false", "-Dlog4j2.disable.jmx=true"),
            *("-cp", f"{self.home / 'lib'}/*", "org.opensearch.bootstrap.OpenSearch"),
        ]

    # ---- until it answers ------------------------------------------------------------------------------------------

    def _wait_until(self, done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START
        while not done():
            if process.poll() is not None:
                raise RuntimeError(f"OpenSearch ended with {process.returncode} as it started:\n{self.tail()}")
            if time.monotonic() > end:
                raise RuntimeError(f"OpenSearch did not answer within {START:.0f} s:\n{self.tail()}")
            time.sleep(PAUSE)

    def _answers(self) -> bool:
        if not self._ports.exists():
            return False
        self.port = int(self._ports.read_text().split()[0].rpartition(":")[2])
        connection = self._connection()
        try:
            connection.request("GET", READY, headers=self._credentials)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=10)


def _link(source: str, target: str) -> None:
    # The cache may be in a home that only its owner can read, and may be on another disk.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
