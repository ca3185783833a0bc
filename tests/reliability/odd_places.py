"""The places that take options, with arguments that are right, for ``tests/reliability/odd_values.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

import aiomlcommons as aml
from aiomlcommons import connectors, emulator, frames, ingest, queries
from aiomlcommons.emulator.faults import Faults
from aiomlcommons.indices.methods import IndexLife
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.lifecycle.methods import ModelLife

HASH = "ab" * 32
NEAR = frozenset({"max_distance"})  # distances by the inner product are below zero
URL = "http://node:9200"


@attrs.frozen
class Place:
    """What takes options: ``takes`` has the signature, ``call`` calls it with options.

    ``base`` returns options that are right. ``skip`` are parameters that take anything, ``words`` what names a
    parameter in its refusal if not its own name, ``negative`` whether numbers may be below zero, or which.
    """

    name: str
    takes: Any
    call: Callable[[aml.Session, dict[str, Any]], Any]
    given: Mapping[str, Any] = attrs.field(factory=dict)
    skip: frozenset[str] = frozenset()
    words: Mapping[str, str] = attrs.field(factory=dict)
    negative: bool | frozenset[str] = False

    def may_be_negative(self, name: str) -> bool:
        """Return whether a parameter takes numbers below zero."""
        return self.negative if isinstance(self.negative, bool) else name in self.negative

    def base(self) -> dict[str, Any]:
        """Return arguments that are right."""
        return dict(self.given)

    async def finish(self, asked: Any) -> None:
        """Await or enter what a call returned, as a program does."""
        if hasattr(asked, "__aenter__") and not hasattr(type(asked).__aenter__, "refuses"):
            async with asked:
                return
        if inspect.isawaitable(asked):
            await asked
        elif hasattr(asked, "__anext__"):
            await anext(asked)


def made(
    kind: Any,
    /,
    *skip: str,
    called: str = "",
    negative: bool | frozenset[str] = False,
    words: Any = None,
    **given: Any,
) -> Place:
    """Return the place of a class or function that is called as it is, and sends nothing."""

    def call(_: aml.Session, options: dict[str, Any]) -> None:
        found = kind(**options)
        if inspect.isgenerator(found):
            next(found, None)

    return Place(called or kind.__name__, kind, call, given, frozenset(skip), words or {}, negative)


def of_session(path: str, takes: Any, /, *skip: str, words: Any = None, **given: Any) -> Place:
    """Return the place of a method of a session, or of one of its namespaces."""

    def call(ml: aml.Session, options: dict[str, Any]) -> Any:
        found: Any = ml
        for part in path.split("."):
            found = getattr(found, part)
        return found(**options)

    return Place(f"ml.{path}", takes, call, given, frozenset(skip), words or {})


def with_session(kind: Any, session: str, /, *skip: str, words: Any = None, **given: Any) -> Place:
    """Return the place of a class whose parameter ``session`` is a session."""

    def call(ml: aml.Session, options: dict[str, Any]) -> None:
        kind(**{session: ml, **options})

    return Place(kind.__name__, kind, call, given, frozenset(skip), words or {})


NOWHERE = Path("/nonexistent/aiomlcommons")
TEXTS = ["a text"]
REPO = {"name": "m"}

FAULTS = ("slow", "throttle", "fail", "limit", "cold_start")

PLACES: tuple[Place, ...] = (
    made(aml.Session, url=URL),
    made(aml.Timeout),
    made(aml.Backoff),
    made(aml.Hedge, after=1),
    made(aml.BasicAuth, username="a", password="b"),
    made(aml.BearerAuth),
    made(aml.AwsAuth, region="eu-west-1"),
    made(aml.Secret, words={"text": "a secret"}),
    made(aml.show_logs),
    made(aml.PretrainedModel, name="m"),
    made(aml.UrlModel, name="m", url="http://x/m.zip", model_content_hash_value=HASH),
    made(aml.FileModel, path="m.zip", name="m"),
    made(aml.RemoteModel, name="m", connector_id="c"),
    made(aml.ExistingModel),
    made(aml.GroupSpec, name="g"),
    made(aml.ModelInputs, texts="input"),
    made(aml.sha256, path="m.zip"),
    of_session("options", aml.Session.options),
    of_session("embed", aml.Session.embed, model_id="m", rows=TEXTS),
    of_session("embed_many", aml.Session.embed_many, model_id="m", texts=TEXTS),
    of_session("embed_one", aml.Session.embed_one, model_id="m", text="a"),
    of_session("sparse", aml.Session.sparse, model_id="m", texts=TEXTS),
    of_session("rerank", aml.Session.rerank, model_id="m", query_text="q", text_docs=TEXTS),
    of_session("highlight", aml.Session.highlight, model_id="m", question="q", context="c"),
    of_session("answer", aml.Session.answer, model_id="m", question="q", context="c"),
    of_session("declare_inputs", aml.Session.declare_inputs, model_id="m", inputs=aml.ModelInputs(texts="t")),
    of_session("diagnose", aml.Session.diagnose),
    of_session("request", aml.Session.request, method="GET", path="/"),
    of_session("task", aml.Session.task, task="t"),
    of_session("search", aml.Session.search, index="i"),
    of_session("search_text", aml.Session.search_text, index="i", text="t"),
    of_session("ingest", aml.Session.ingest, source=[{"id": "a", "text": "b"}], model="m", sink=print),
    of_session("evaluate", aml.Session.evaluate, queries={"q": "a"}, judgments={"q": {"d": 1}}, systems={"a": "i"}),
    of_session("reembed", aml.Session.reembed, index="i", model="m", alias="a"),
    of_session("models.ensure", ModelLife.ensure, spec="m"),
    of_session("models.deployed", ModelLife.deployed, spec="m"),
    of_session("models.remove", ModelLife.remove, model_id="m"),
    of_session("models.pretrained", ModelLife.pretrained, name="all-MiniLM-L6-v2"),
    of_session("indices.create_for", IndexLife.create_for, model="m", index="i"),
    with_session(ingest.IndexSink, "ml", index="i"),
    with_session(ingest.IndexSource, "session", index="i"),
    made(ingest.ArrowSource, data=NOWHERE),
    made(ingest.ArrowStreamSource, path=NOWHERE),
    made(ingest.CsvSource, path=NOWHERE),
    made(ingest.FilesSource, paths=[NOWHERE]),
    made(ingest.IterableSource, rows=TEXTS),
    made(ingest.JsonSource, path=NOWHERE),
    made(ingest.JsonlSource, path=NOWHERE),
    made(ingest.MappedSource, source=ingest.JsonlSource(NOWHERE), fields=ingest.FieldMap({"a": "b"})),
    made(ingest.StdinSource),
    made(ingest.RemotePath, "found", url="memory://a.jsonl"),
    made(ingest.CallableSink, function=print),
    made(ingest.JsonLinesSink, path=NOWHERE),
    made(ingest.NpySink, path=NOWHERE),
    made(ingest.ParquetSink, path=NOWHERE),
    made(ingest.StdoutSink),
    made(ingest.Chunks, size=10),
    made(ingest.FieldMap),
    made(ingest.TextFrom, spec="a"),
    made(ingest.documents),
    made(ingest.read_dead_letters),
    made(RateLimit, requests=1.0, tokens=1.0),
    made(VectorField),
    made(queries.neural, negative=NEAR, field="f", query_text="t"),
    made(queries.neural_sparse, field="f", query_text="t"),
    made(queries.knn, negative=NEAR, field="f", vector=[1.0], k=1),
    Place("hybrid", queries.hybrid, lambda _, options: queries.hybrid({"match_all": {}}, **options) and None),
    made(connectors.bedrock_converse, region="eu-west-1", model="m", access_key="a", secret_key="b"),
    made(connectors.bedrock_titan_embeddings, region="eu-west-1", access_key="a", secret_key="b"),
    made(connectors.cohere_embeddings, model="m", api_key="k"),
    made(connectors.cohere_rerank, model="m", api_key="k"),
    made(connectors.gemini_generate_content, model="m", api_key="k"),
    made(connectors.http_embeddings, url="https://x/"),
    made(connectors.openai_agent, model="m", api_key="k"),
    made(connectors.openai_chat, model="m", api_key="k"),
    made(connectors.openai_embeddings, model="m", api_key="k"),
    made(connectors.sagemaker_embeddings, region="eu-west-1", endpoint_name="e", access_key="a", secret_key="b"),
    made(emulator.AwsVerifier),
    made(emulator.Cluster),
    made(emulator.Emulator, "router"),
    made(emulator.Machine),
    made(emulator.Refresh),
    made(emulator.Security, user="u"),
    made(frames.from_columns, words={"columns": "column"}),
    made(frames.from_rows, words={"rows": "row"}),
    *(made(getattr(Faults(), name), called=f"Faults.{name}") for name in FAULTS),
)
"""Every place."""
