"""Tables for notebooks: what is set, cut, escaped and masked, without scripts or anything from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ENDPOINTS, MLSettings, Session, emulator
from aiomlcommons.api.agents import Agent, ToolSpec
from aiomlcommons.api.common import Found, Hit, Hits, Shards, Total
from aiomlcommons.api.connectors import ConnectorAction, HttpConnector
from aiomlcommons.api.memory import Memory, MemoryPage
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.stats import NodeStats, Stats
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.display.html_tables import grid, key_values
from aiomlcommons.display.shown import Shown
from aiomlcommons.endpoint import Request
from aiomlcommons.ingest import Report
from tests.support.strategies import answers

HUSH = "h0sh-h0sh"
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


class Reader(HTMLParser):
    """The tags, attributes and cells of HTML; every tag must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in {"td", "th", "b"}:
            self.cells.append("")
        if tag != "wbr":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th", "b"} & {*self._open}:
            self.cells[-1] += data


def read(value: Any) -> Reader:
    """Read the HTML of a value, which has only tags that do nothing."""
    reader = Reader(value if isinstance(value, str) else value._repr_html_())
    assert reader.tags <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td", "wbr"}
    assert reader.attributes <= {"style", "scope"}
    return reader


def page(*models: Model) -> Hits[Model]:
    hits = [Hit("i", f"id{number}", None, model) for number, model in enumerate(models)]
    return Hits(1, False, Shards(1, 1, 0), Found(None, hits, Total(1_234, "eq")))


# ---- what is shown -------------------------------------------------------------------------------------------------


def test_a_record_is_a_table_of_the_fields_that_are_set() -> None:
    model = Model(
        name="m", model_state="DEPLOYED", created_time=1_795_234_119_880, model_content_size_in_bytes=91_790_008
    )
    reader = read(model)
    assert reader.cells == [
        "Model",
        "model_state",
        "DEPLOYED",
        "model_content_size_in_bytes",
        "91,790,008",
        "created_time",
        "2026-11-21 04:08:39 UTC",
    ]
    assert "<b>Model</b> m<" in model._repr_html_()


def test_a_record_in_a_record_is_a_table_in_its_cell_and_several_are_a_table_below() -> None:
    model = Model(name="m", model_config=ModelConfig(model_type="bert"))
    assert read(model).cells == ["Model", "model_config", "", "model_type", "bert"]
    agent = Agent(name="a", tools=[ToolSpec("t1", description="d"), ToolSpec("t2")])
    assert read(agent).cells == ["Agent", "tools", "type", "description", "t1", "d", "t2", ""]
    stats = Stats(ml_model_count=3, nodes={"n1": NodeStats(ml_request_count=7)})
    assert read(stats).cells == ["Stats", "ml_model_count", "3", "nodes", "", "ml_request_count", "n1", "7"]


def test_a_page_is_a_row_for_each_hit_with_the_columns_of_its_documents() -> None:
    found = page(Model(name="m1", model_state="DEPLOYED", description="d"), Model(name="m2"))
    columns = ["id", "name", "model_state"]
    assert read(found).cells == ["Hits: 2 of 1,234", *columns, "id0", "m1", "DEPLOYED", "id1", "m2", ""]
    assert read(MemoryPage([Memory(name="talk")], next_token=1)).cells == ["MemoryPage: 1", "name", "talk"]
    assert read(page()).cells == ["Hits: 0 of 1,234"]


def test_a_long_page_says_how_many_rows_are_left_out() -> None:
    html = page(*[Model(name=f"m{number}") for number in range(100)])._repr_html_()
    assert html.count("<tr>") == 21
    assert "… 80 more" in html


def test_reports_and_settings_are_tables_too() -> None:
    numbers: dict[str, Any] = dict.fromkeys(
        (field.name for field in attrs.fields(Report) if field.default is attrs.NOTHING), 1
    )
    assert read(Report(**{**numbers, "seconds": 1.5})).cells[3:5] == ["written", "1"]
    assert read(MLSettings(only_run_on_ml_node=False)).cells == ["MLSettings", "only_run_on_ml_node", "False"]


@pytest.mark.asyncio
async def test_nodes_and_jobs_are_tables_too() -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.ping()
        assert read(ml.nodes).cells[:3] == ["Nodes: 1", "url", "is_live"]
        assert url in read(ml.nodes[0]).cells


# ---- what is not shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Model(name=EVIL, description=EVIL, model_config=ModelConfig(model_type=EVIL), extra={EVIL: [EVIL]}),
        page(Model(name=EVIL)),
        Stats(nodes={EVIL: NodeStats(algorithms={EVIL: {}})}),
        TaskInfo(error=EVIL, remote_job={EVIL: EVIL}),
        key_values(EVIL, {EVIL: EVIL}, subtitle=EVIL),
        grid(EVIL, [EVIL], [[EVIL]], subtitle=EVIL),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_name_holds_is_text(value: Any) -> None:
    assert "<script" not in (value if isinstance(value, str) else value._repr_html_())
    assert any("<script>" in cell for cell in read(value).cells)


def test_credentials_are_masked() -> None:
    action = ConnectorAction(
        "predict", "POST", f"https://h?key={HUSH}", headers={"x": HUSH}, request_body=f"http://a:{HUSH}@h"
    )
    connector = HttpConnector(name="c", credential={"k": HUSH}, parameters={"api_key": HUSH}, actions=[action])
    for value in (
        connector,
        action,
        Hit("i", "a", None, connector),
        Agent(tools=[ToolSpec("t", config={"token": HUSH})]),
    ):
        assert HUSH not in value._repr_html_()
        assert "***" in value._repr_html_()
    assert HUSH not in key_values("t", {"headers": {"x": HUSH}, "p": {"password": HUSH}, "url": f"http://h?sig={HUSH}"})


def test_long_values_are_cut() -> None:
    assert len(Model(description="d" * 10**7, extra={"a": list(range(10**6))})._repr_html_()) < 3_000


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_any_answer_is_shown_as_well_formed_html(cls: type[Request[Any]], data: st.DataObject) -> None:
    value = data.draw(answers(cls))
    for shown in value if isinstance(value, list) else [value]:
        if isinstance(shown, Shown):
            read(shown)


def test_half_a_character_can_be_sent_to_a_browser() -> None:
    assert Model(name="\ud83d")._repr_html_().encode()


def test_no_notebook_is_imported() -> None:
    made = "from aiomlcommons.api.model_records import Model; Model(name='m')._repr_html_()"
    code = f"import sys; {made}; print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "False\n"
