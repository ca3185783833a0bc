"""The program that compares the emulator with a real server, with another emulator in the place of that."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from tests.opensearch.same_ids import main
from tests.support.emulated_models import NOW
from tests.support.opensearch import same_answers

pytestmark = pytest.mark.asyncio
FILES = MLSettings(only_run_on_ml_node=False, allow_registering_model_via_local_file=True)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_answers, "DOCUMENTS", same_answers.DOCUMENTS[:20])
    monkeypatch.setattr(same_answers, "TEXTS", same_answers.TEXTS[:1])


async def compared(server: Emulator) -> int:
    async with server.serve() as url:
        async with Session(url, backoff=NOW) as ml:
            await ml.settings.apply(FILES)
        return await main(url, backoff=NOW)


async def test_an_emulator_answers_like_another_one_whose_models_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    server = Emulator(Cluster(version="3.8.0"))
    assert await compared(server) == 0
    assert capsys.readouterr().out.endswith("queries with the same ids, order and scores: 23, different: 0\n")
    assert not any((server.cluster.own, server.cluster.pipelines, server.cluster.models.documents))


async def test_another_answer_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def queries(models: same_answers.Models) -> Any:
        # The ids of the models differ, and so does what is asked.
        near = {"neural": {"embedding": {"query_text": models.dense, "model_id": models.dense, "k": 3}}}
        yield "of its own", "/{}all/_search", {"query": near}

    monkeypatch.setattr("tests.opensearch.same_ids.queries", queries)
    assert await compared(Emulator(Cluster(version="3.8.0"))) == 1
    assert "DIFFERS of its own\n        the server has " in capsys.readouterr().out


async def test_what_was_never_made_is_no_fault_of_its_removal() -> None:
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url, backoff=NOW) as ml:
        await same_answers.Side(ml, same_answers.Models("", "", "", "")).tear_down()
