"""The types of the synchronous session."""

from __future__ import annotations

from typing import assert_type

from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import Words
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.blocking import Session
from aiomlcommons.inference.embed import Batch
from aiomlcommons.ingest.stats import Report
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.reembedding.report import Report as Reembedded


def calls(ml: Session) -> None:
    assert_type(ml.models.get("id"), Model)
    assert_type(ml.models.ensure("name"), EnsuredModel)
    assert_type(ml.task("id").result(), TaskInfo)
    assert_type(ml.models.search({}).result(), Hits[Model])
    for hit in ml.models.search({}):
        assert_type(hit, Hit[Model])
    assert_type(ml.options(timeout=3), Session)
    ml.models.get(5)  # type: ignore[arg-type]


def contexts(ml: Session) -> None:
    with ml.embed("id", ["a text"]) as embedded:
        for text, _ in embedded:
            assert_type(text, str)
        for batch in embedded.batches():
            assert_type(batch, Batch[str])
    with ml.ingest([], model="name", sink="out.npy") as job:
        assert_type(job.result(), Report)
    assert_type(ml.reembed("docs", model="name", alias="live").result(), Reembedded)
    with ml.models.predict_stream("id") as events:
        for event in events:
            assert_type(event, Words)


def opened() -> None:
    with Session("https://localhost:9200", retries=3) as ml:
        assert_type(ml, Session)
    assert_type(Session.connect("https://localhost:9200"), Session)
