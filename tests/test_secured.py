"""A cluster that the environment names, with TLS and a password: examples, contract suite and command line reach it."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path

import pytest
import trustme

from aiomlcommons import emulator
from tests.support.paths import ROOT


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "command",
    [
        ["examples/custom_embedding_model_by_url.py"],
        ["-m", "aiomlcommons", "call", "info"],
        ["-m", "pytest", "-q", "tests/contract/test_model_groups.py", "tests/contract/test_settings.py"],
    ],
    ids=["example", "command line", "contract suite"],
)
async def test_the_environment_names_a_secured_cluster(command: list[str], tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with emulator.serve(username="admin", password="a/b c", ssl_context=context) as url:
        named = {"URL": url, "USERNAME": "admin", "PASSWORD": "a/b c", "CA_CERTS": str(tmp_path / "ca.pem")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            cwd=ROOT,
            env={**os.environ, **{f"OPENSEARCH_{name}": value for name, value in named.items()}},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert "a/b c" not in printed.decode()
