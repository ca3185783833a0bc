"""No secret leaves the process, wherever it was given. ``python -m tests.secrets`` searches for all of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from aiomlcommons import ConnectError, HttpRequest
from tests.secrets import commands, frameworks, hub, jobs, records, servers, sessions
from tests.secrets.canaries import Canaries, Outputs
from tests.secrets.search import SCENES, Scene, report, watched

pytestmark = pytest.mark.asyncio

# How much of each scene is done here: every so many of its deeds.
STEPS: Mapping[Scene, int] = {
    sessions.sessions_at_failing_servers: 19,
    sessions.sessions_that_give_up: 3,
    records.requests_with_credentials: 5,
    records.connectors_in_a_cluster: 5,
    jobs.jobs_with_credentials: 5,
    hub.models_on_hugging_face: 5,
    frameworks.components_with_credentials: 5,
    commands.documents: 3,
    commands.commands: 7,
}

# What a scene must have searched, among others.
KINDS: Mapping[Scene, Sequence[str]] = {
    sessions.sessions_that_give_up: ["tracebacks", "notes of errors", "attributes of logs"],
    sessions.sessions_at_failing_servers: ["tracebacks", "pickles of errors", "help", "logs of aiomlcommons", "spans"],
    jobs.jobs_with_credentials: [
        "files: .checkpoint",
        "files: .dead",
        "files: .seen",
        "reports as JSON",
        "tracebacks",
        "spans",
        "metrics",
    ],
    frameworks.components_with_credentials: ["tracebacks", "repr, str, format", "stored components"],
    hub.models_on_hugging_face: ["tracebacks", "repr, str, format", "logs of aiomlcommons", "files: .json"],
    commands.documents: ["standard output", "documents of the repository"],
    commands.commands: ["standard output", "standard error", "files: .jsonl"],
}


@pytest.fixture(scope="module", autouse=True)
def _thread_of_fsspec() -> None:
    # It begins with the first use and stays: its files are none that a test left open.
    import_module("fsspec.asyn").get_loop()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_no_secret_is_found_in_anything_that_leaves(scene: Scene, tmp_path: Path) -> None:
    outputs = Outputs(step=STEPS.get(scene, 1))
    await watched(scene, outputs, tmp_path)
    assert not outputs.leaks, report(outputs)
    assert outputs.canaries.planted
    for kind in KINDS.get(scene, ()):
        assert outputs.searched[kind], f"nothing of the kind {kind} was searched"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc:"])
async def test_a_secret_is_found_however_it_is_written(before: str) -> None:
    canaries = Canaries()
    secret = canaries.plant("here")
    for data in (
        f"x{secret}y",
        f"x{secret}".encode(),
        base64.b64encode(f"{before}{secret}é".encode()).decode(),
        "\udc80" + secret,
    ):
        assert canaries.places_in(data) == {"here"}
    canaries.plant("elsewhere")
    assert canaries.places_in(base64.b64encode(b"nothing here")) == set()


async def test_a_secret_is_found_in_what_an_error_holds() -> None:
    outputs = Outputs()
    plant = outputs.canaries.plant
    error = ConnectError("no answer", HttpRequest("GET", f"/{plant('path')}"))
    error.add_note(plant("note"))
    error.__cause__ = ValueError(plant("cause"))
    error.__cause__.__context__ = OSError(plant("context"))
    outputs.error("error", error)
    found = {(leak.place, leak.output) for leak in outputs.leaks}
    assert {place for place, _ in found} == {"path", "note", "cause", "context"}
    assert ("path", "pickles of errors") in found
    assert ("note", "notes of errors") in found
    assert ("note", "tracebacks") in found


async def test_the_servers_quote_what_is_searched_for(tmp_path: Path) -> None:
    servers.QUOTED.clear()
    outputs = Outputs(step=29)
    await sessions.sessions_at_failing_servers(outputs, tmp_path)
    quoted = outputs.canaries.places_in("".join(servers.QUOTED))
    assert len(quoted) > 5
    assert not outputs.leaks
