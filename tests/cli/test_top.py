"""``aiomlcommons top``: looks at a cluster, their rates, their tables, and how it ends."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios

import attrs
import orjson
import pytest
from rich.console import Console

from aiomlcommons import HttpRequest, HttpResponse, Session, Timeout, cli
from aiomlcommons.cli.tables import table
from aiomlcommons.cli.top.rates import UNKNOWN, Change, Rates, change
from aiomlcommons.cli.top.snapshot import Counts, Look, ModelLook, NodeLook, TaskLook, Watcher
from aiomlcommons.cli.top.tables import tables
from aiomlcommons.cli.top.view import block, text
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.emulator.security import Security
from tests.support.pages import page_of
from tests.support.paths import ROOT

PRETRAINED = "all-MiniLM-L6-v2"
NODE = NodeLook("n", "node-1", memory=50, heap=91, cpu=3, load=0.5, models=1, tasks=0, counts=Counts(100, 4, 1))
MODEL = ModelLook("m", "a/model/with/a/name", "DEPLOYED", 1, 2, Counts(1_000, 10), 12.0, 10.0, 31.25)
TASK = TaskLook("t", "DEPLOY_MODEL", "RUNNING", "a/model/with/a/name", "node-1", 1_700_000_000_000)
LOOK = Look(10.0, (NODE,), (MODEL,), (TASK,))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 2
        return self.now


# ---- looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_look_tells_nodes_models_tasks_and_latencies() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure(PRETRAINED)
        watcher = Watcher(ml, Clock())
        before = await watcher.look()
        await ml.embed_many(model.model_id, ["a", "b"])
        emulated.faults.hang_task()
        await ml.models.deploy(model.model_id)
        now = await watcher.look()
    (node,), (shown,), (task,) = now.nodes, now.models, now.tasks
    assert (node.name, node.heap, node.memory, node.models, node.tasks) == ("emulator", 10, 50, 1, 1)
    assert (shown.name, shown.state, shown.nodes, shown.planned) == (model.model.name, "DEPLOYED", 1, 1)
    assert shown.counts.requests == 1
    assert shown.p90 is not None
    assert (task.type, task.model, task.node) == ("DEPLOY_MODEL", model.model.name, "emulator")
    assert change(before, now).models == {model.model_id: Rates(0.5, 0.0, 0.0)}


@pytest.mark.asyncio
async def test_a_cluster_that_is_gone_and_back_is_shown() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url:
        port = int(url.rpartition(":")[2])
    async with Session(url, retries=0) as ml:
        watcher = Watcher(ml, Clock())
        async with emulated.serve(port=port):
            first = await watcher.look()
        gone = await watcher.look()
        async with emulated.serve(port=port):
            back = await watcher.look()
    assert [look.responds for look in (first, gone, back)] == [True, False, True]
    assert gone.nodes == first.nodes
    assert gone.trouble[0].startswith(f"cannot connect to {url}")
    assert change(first, gone) == change(gone, back) == Change()


@pytest.mark.asyncio
async def test_a_node_that_is_gone_is_shown_as_gone() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url) as ml:
        watcher = Watcher(ml, Clock())
        await watcher.look()
        emulated.cluster.node_id, watcher._nodes = "other", {"n": NODE}
        look = await watcher.look()
    assert {node.name: node.is_gone for node in look.nodes} == {"emulator": False, "node-1": True}


@pytest.mark.asyncio
async def test_a_user_without_rights_sees_what_is_allowed_and_what_is_missing() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    emulated.cluster.security = Security("ann", denied=["cluster:monitor/nodes/*"])
    async with emulated.serve() as url, Session(url) as ml:
        look = await Watcher(ml, Clock()).look()
    assert look.responds
    assert look.trouble == ("nodes: the user lacks cluster:monitor/nodes/stats",)
    assert [node.heap for node in look.nodes] == [10]


def test_a_node_that_counts_anew_has_no_rate() -> None:
    restarted = attrs.evolve(LOOK, at=12.0, nodes=(attrs.evolve(NODE, counts=Counts(3)),))
    assert change(LOOK, restarted).nodes == {"n": UNKNOWN}


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (140, 40)])
def test_what_is_drawn_fits_the_terminal(width: int, height: int) -> None:
    models = tuple(attrs.evolve(MODEL, id=f"m{n}", name=f"a/model/with/a/name-{n}") for n in range(100))
    nodes = tuple(attrs.evolve(NODE, id=f"n{n}", name=f"node-{n}") for n in range(30))
    look = Look(10.0, nodes, models, (TASK,) * 40, trouble=("profile: " + "no way " * 40,))
    console = Console(width=width, height=height, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(block("http://h:9200  12:00:00", look, Change(), width, height))
        drawn = console.export_text().splitlines()
    assert len(drawn) <= height
    assert max(map(len, drawn)) <= width
    assert "models: 100, " in "\n".join(drawn)


def test_a_wide_terminal_has_all_columns() -> None:
    narrow, wide = (
        {column.title for table in tables(LOOK, Change(), width, None) for column in table.columns}
        for width in (80, 140)
    )
    assert {"REQ/S", "P90 ms", "HEAP", "REJECTED"} <= narrow < wide


def test_the_busiest_models_come_first() -> None:
    models = tuple(attrs.evolve(MODEL, id=name, name=name) for name in "abc")
    rates = Change(models={"b": Rates(5.0), "c": Rates(1.0), "a": Rates(0.0)})
    table = tables(attrs.evolve(LOOK, models=models), rates, 80, None)[1]
    assert [row[0][0] for row in table.rows] == ["b", "c", "a"]


def test_as_text_every_row_is_there() -> None:
    shown = text("title", LOOK, Change({"n": Rates(1.5, 0.5, 0.0)}, {"m": Rates(1.5, 0.0, 0.0)}))
    assert "node-1" in shown
    assert "31.2" in shown
    assert "DEPLOY_MODEL" in shown


# ---- the command -----------------------------------------------------------------------------------------------------


def test_once_prints_a_look(emulated_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", "--once", "--url", emulated_url]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{emulated_url}  ")
    assert "\nnodes: 1\nNODE " in out
    assert cli.main(["top", "--once", "--json", "--url", emulated_url]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["nodes"][0]["heap"] == 10
    assert told["responds"] is True


def test_json_needs_once(emulated_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", "--json", "--url", emulated_url]) == 2
    assert capsys.readouterr().err == "aiomlcommons: --json prints one look: pass --once, too\n"


def test_nobody_there_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", "--url", "http://127.0.0.1:1"]) == 1
    assert "cannot connect to http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(("ends", "code"), [(b"q", 0), (b"\x03", 130), (signal.SIGTERM, 143)])
def test_it_restores_the_terminal(emulated_url: str, ends: bytes | signal.Signals, code: int) -> None:
    """Run it on a terminal until it has drawn, end it by a key or a signal, and compare the terminal."""
    main, other = pty.openpty()
    before = termios.tcgetattr(other)
    command = [sys.executable, "-m", "aiomlcommons", "top", "--url", emulated_url, "--interval", "0.1"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
        env=environment,
        preexec_fn=_own_terminal,
    )
    shown = _read_until(main, b"REJECTED")
    if isinstance(ends, bytes):
        os.write(main, ends)
    else:
        process.send_signal(ends)
    shown += _read_until(main, b"\x1b[?1049l")
    assert process.wait(30) == code
    assert termios.tcgetattr(other) == before
    assert shown.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?25h" in shown
    os.close(main)
    os.close(other)


def _own_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(terminal: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, shown
        shown += os.read(terminal, 65_536)
    return shown


@pytest.mark.asyncio
async def test_a_model_whose_record_the_user_may_not_read_goes_by_its_id() -> None:
    page = page_of({"hidden": None, "seen": {"name": "a name"}})
    profile = {"nodes": {"n": {"models": {key: {"model_state": "DEPLOYED"} for key in ("hidden", "seen")}}}}

    async def answered(request: HttpRequest, _: Timeout) -> HttpResponse:
        data = page if request.path.endswith("_search") else profile
        return HttpResponse(200, orjson.dumps(data), {"content-type": "application/json"})

    async with Session(transport=answered) as ml:
        look = await Watcher(ml, Clock()).look()
    assert [(model.id, model.name) for model in look.models] == [("hidden", "hidden"), ("seen", "a name")]


def test_a_name_with_an_escape_sequence_does_not_reach_the_terminal() -> None:
    look = attrs.evolve(LOOK, models=(attrs.evolve(MODEL, name="a\x1b[2Jb\nc"),))
    console = Console(width=140)
    with console.capture() as captured:
        console.print(block("title", look, Change(), 140, 40))
    for shown in (captured.get(), text("title", look, Change()), table(["NAME"], [["a\x1b[2Jb\nc"]])):
        assert "a\N{REPLACEMENT CHARACTER}[2Jb c" in shown
        assert "\x1b[2J" not in shown
