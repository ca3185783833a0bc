"""A cluster and a folder in which every example of the help, and of docs/cli.md, does what it says."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import orjson

from aiomlcommons import Session
from aiomlcommons.api.agents import ToolSpec
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.ingest import IndexSink
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from tests.support.jobs import NOW
from tests.support.paths import MODELS

DENSE, CROSS = "all-MiniLM-L6-v2", "ms-marco-MiniLM-L-6-v2"


@attrs.frozen
class World:
    """The URL of a cluster, and the ids that stand in it for the words in capitals of an example."""

    url: str
    ids: Mapping[str, str]

    def filled(self, example: str) -> str:
        """Return an example with ids in place of its words in capitals."""
        return re.sub(r"\b[A-Z]+(?:_[A-Z]+)*_ID\b", lambda found: self.ids[found[0]], example)


@asynccontextmanager
async def example_world(folder: Path) -> AsyncGenerator[World]:
    """Serve an emulator with a model, an index, a cross-encoder, a connector, an agent, a task and an empty group."""
    _write_files(folder)
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        model_id = await ml.models.ensure(DENSE, backoff=NOW)
        await ml.ingest(folder / "docs.jsonl", model=model_id, sink=IndexSink(ml, "docs", create=True))
        await ml.indices.update_aliases([AddAlias("docs", "docs-live")])
        await ml.models.ensure(CROSS, backoff=NOW)
        action = ConnectorAction("PREDICT", "POST", "https://api.openai.com/v1/embeddings", request_body="{}")
        connector = await ml.connectors.create("openai", version=1, protocol="http", actions=[action])
        tools = [ToolSpec("ListIndexTool", name="ListIndexTool")]
        agent = await ml.agents.register("librarian", "flow", tools=tools)
        group = await ml.model_groups.register("empty")
        (task,) = [hit.id async for hit in ml.tasks.search({"size": 1})][:1]
        ids = {
            "CONNECTOR_ID": connector.connector_id,
            "AGENT_ID": agent.agent_id,
            "MODEL_GROUP_ID": group.model_group_id,
            "TASK_ID": task,
        }
        yield World(url, ids)


def _write_files(folder: Path) -> None:
    rows = [{"id": f"d{number}", "text": f"text number {number}"} for number in range(20)]
    (folder / "docs.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    dead = [DeadLetter(number, str(row["id"]), "the model hung", row) for number, row in enumerate(rows[:2])]
    (folder / "old.dead.jsonl").write_bytes(b"".join(letter.line() for letter in dead))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "number 7"}\n{"_id": "q2", "text": "number 11"}\n')
    (folder / "judgments.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td7\t1\nq2\td11\t1\n")
    (folder / "lines.txt").write_text("a text\nanother one\n")
    (folder / "input.json").write_text('{"text_docs": ["a text"]}')
    (folder / "model.zip").write_bytes((MODELS / "tiny-tokenizer.zip").read_bytes())
