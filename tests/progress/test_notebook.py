"""Progress in a notebook: one output that is updated in place, in a real kernel, whose output is no terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from aiomlcommons import Phase, Progress
from aiomlcommons.progress.notebook import HtmlBlock
from tests.support.notebooks import run_notebook
from tests.support.paths import ROOT

CONNECT = """
from aiomlcommons import Session
from aiomlcommons.emulator import Emulator

emulator = Emulator()
serving = emulator.serve()
ml = await Session.connect(await serving.__aenter__())
await ml.settings.allow_first_model()
rows = [{"id": f"d{n}", "text": f"text number {n}"} for n in range(200)]
"""
ENSURE = 'model = await ml.models.ensure("all-MiniLM-L6-v2", progress=True)'
INGEST = """
emulator.faults.slow(0.1)
async with ml.ingest(rows, model=model.model_id, sink=[].append, batch=10, concurrency=2, progress=True) as job:
    await job
"""
TWO = """
import asyncio

async def embed(count):
    async with ml.embed(model.model_id, map(str, range(count)), batch=1, concurrency=1, progress=True) as embedded:
        async for _ in embedded:
            print(count)

await asyncio.gather(embed(3), embed(4))
"""
FAILING = """
emulator.faults.clear()
emulator.faults.fail(403, times=None)
async with ml.ingest(rows, model=model.model_id, sink=[].append, progress=True) as job:
    await job
"""
END = "await ml.close()\nawait serving.__aexit__(None, None, None)"


def _with_cells(*codes: str) -> str:
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**cell, "id": f"cell-{number}", "source": code} for number, code in enumerate(codes)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def notebook() -> Any:
    """A notebook that was run, with ``updates``: the HTML of each display while it was run, by the display's id."""
    made = nbformat.reads(_with_cells(CONNECT, ENSURE, INGEST, TWO, FAILING, END), 4)  # type: ignore[no-untyped-call]
    made.cells[4].metadata["tags"] = ["raises-exception"]
    client = NotebookClient(made, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    updates: dict[str, list[str]] = {}
    process = client.process_message

    def listen(message: Any, cell: Any, cell_index: int) -> Any:
        if "display_data" in message["msg_type"] and "text/html" in message["content"]["data"]:
            display_id = message["content"]["transient"]["display_id"]
            updates.setdefault(display_id, []).append(message["content"]["data"]["text/html"])
        return process(message, cell, cell_index)

    client.process_message = listen  # type: ignore[method-assign, assignment]
    client.execute()
    made.metadata["updates"] = list(updates.values())
    return made


def displays(cell: Any) -> list[str]:
    return [out.data["text/html"] for out in cell.outputs if out.output_type == "display_data"]


def test_ensure_ends_with_its_steps(notebook: Any) -> None:
    (html,) = displays(notebook.cells[1])
    assert "done in " in html
    assert re.findall(r">(\w+)(?:: |<)", html)[-4:] == ["registering", "registered", "deploying", "deployed"]
    (out,) = notebook.cells[1].outputs
    assert out.data["text/plain"].startswith("deployed: huggingface/")


def test_a_job_is_updated_in_place(notebook: Any) -> None:
    (html,) = displays(notebook.cells[2])
    assert "<b>rows -&gt; list.append</b>" in html
    assert "200 of 200 documents, 100 %" in html
    assert "200 read = 200 written" in html
    (updates,) = [some for some in notebook.metadata["updates"] if some[-1] == html]
    between = {int(found[1]) for one in updates if (found := re.search(r">(\d+) of 200 documents", one))}
    assert any(0 < done < 200 for done in between)
    assert len(updates) > 4


def test_two_calls_at_once_have_an_output_each_beside_what_is_printed(notebook: Any) -> None:
    counts = sorted(re.findall(r">(\d+) rows<", html) for html in displays(notebook.cells[3]))
    assert counts == [["3"], ["4"]]
    printed = "".join(out.text for out in notebook.cells[3].outputs if out.output_type == "stream")
    assert sorted(printed.split()) == 3 * ["3"] + 4 * ["4"]


def test_a_job_that_fails_says_so(notebook: Any) -> None:
    (html,) = displays(notebook.cells[4])
    assert "failed with Forbidden after " in html
    assert notebook.cells[4].outputs[-1].output_type == "error"


def test_nothing_is_written_to_standard_error(notebook: Any) -> None:
    for cell in notebook.cells[:4]:
        assert not [out for out in cell.outputs if out.output_type == "stream" and out.name == "stderr"]


# ---- the HTML of a state ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onload="x', "a & b", "\x1b[31m", "half \ud83d"])
def test_names_and_words_are_escaped(name: str) -> None:
    progress = Progress(phase=Phase.EMBEDDING, name=name, done=1, unit="rows", words=name)
    html = HtmlBlock(progress, [Progress(phase=Phase.WAITING, name=name, words=name)], ended=True)._repr_html_()
    assert "<script" not in html
    assert '" onload' not in html
    assert "\x1b" not in html
    html.encode()


def test_a_state_without_a_total_has_a_faint_bar_until_it_ends() -> None:
    progress = Progress(phase=Phase.EMBEDDING, name="m", done=5, unit="rows", rate=2.0)
    assert "width:100.0%;height:100%;background:#3987e5;opacity:0.35" in HtmlBlock(progress, [])._repr_html_()
    ended = Progress(phase=Phase.FINISHED, name="m", done=5, unit="rows", rate=2.0)
    assert "background:#2e9e5b;opacity:1.0" in HtmlBlock(ended, [], ended=True)._repr_html_()


def test_what_is_not_counted_is_one_line_with_the_time() -> None:
    progress = Progress(phase=Phase.DEPLOYING, name="m", words="again", seconds=5.0, done=0, total=3, unit="nodes")
    html = HtmlBlock(progress, [progress])._repr_html_()
    assert "<b>m</b> <span>deploying again … 5.0 s</span>" in html
    assert html.count("<div") == 1


# ---- the example -----------------------------------------------------------------------------------------------------


def test_the_first_ten_minutes_run(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, ensure, ingest, search, plot, end = run_notebook("first_ten_minutes.ipynb", monkeypatch)
    assert connect.outputs[0].text.startswith("OpenSearch ")
    assert "deployed" in displays(ensure)[0]
    assert "500 of 500 documents, 100 %" in displays(ingest)[0]
    assert "500 read = 500 written" in displays(ingest)[0]
    found = "".join(out.text for out in search.outputs).splitlines()
    assert [found[number].split()[1] for number in (1, 5)] == ["proverbs-15-1:", "ecclesiastes-3-2:"]
    (figure,) = [out for out in plot.outputs if out.output_type == "display_data"]
    assert len(figure.data["image/png"]) > 5_000
    assert not end.outputs
