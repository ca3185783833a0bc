"""Jobs over remote models: their providers throttle, spend a quota, refuse a credential, or send a poison vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from aiomlcommons import ApiError, NotFound, QuotaExceeded, Unauthorized, emulator
from aiomlcommons.ingest import ModelFails, Report
from tests.ingest.throttled_providers import BATCH, outcomes, remote_model
from tests.support.provider_examples import EXAMPLES
from tests.support.throttling_provider import Provider, response

pytestmark = pytest.mark.asyncio
ROWS = [{"id": str(number), "text": f"text {number}"} for number in range(64)]
DIMENSION = 16


async def test_no_document_is_lost_to_throttling_and_no_batch_is_halved() -> None:
    ways = [
        "plain 429",
        "SageMaker, before ML Commons 2.15",
        "SageMaker, a container of TEI",
        "Anthropic",
        "a gateway that makes 400 of 429",
        "a gateway that makes 500 of 429",
    ]
    found = await outcomes(ways, 160)
    plain = found["plain 429"].provider
    assert plain.refused
    for name, outcome in found.items():
        assert (outcome.report.written, outcome.report.failed) == (160, 0), name
        # The same requests are refused, so that any further one would come from a batch that was halved.
        assert (outcome.provider.requests, outcome.provider.refused) == (plain.requests, plain.refused), name


async def run(provider: Provider, folder: Path, **options: Any) -> Report:
    settings = {"batch": BATCH, "dead_letters": folder / "dead", "checkpoint": folder / "job", **options}
    async with emulator.serve() as url, provider.serve() as endpoint, remote_model(url, endpoint) as (ml, model_id):
        async with ml.ingest(ROWS, model=model_id, sink=folder / "out.jsonl", **settings) as running:
            return await running


def dead_letters(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / "dead").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("name", "expected", "remedy"),
    [
        ("OpenAI: insufficient_quota", QuotaExceeded, "You exceeded your current quota.* the quota of the account at"),
        ("Anthropic: Your credit balance is too low to access the Anthropic API", QuotaExceeded, "credit balance"),
        ("OpenAI: invalid_api_key", Unauthorized, r"Incorrect API key.* connector \(ml.connectors.update"),
        ("Gemini: API_KEY_INVALID", Unauthorized, "API key not valid.* update the connector"),
        ("Azure OpenAI: DeploymentNotFound", NotFound, "does not exist.* no such model, deployment or route"),
    ],
)
async def test_what_no_document_is_to_blame_for_ends_the_job_with_the_providers_words(
    tmp_path: Path, name: str, expected: type[ApiError], remedy: str
) -> None:
    example = EXAMPLES[name]

    def twist(texts: list[str], found: list[Any]) -> web.Response | None:
        if refusing.requests > 3:
            return response(example)
        return None

    refusing = Provider(twist)
    with pytest.raises(expected, match=remedy) as caught:
        await run(refusing, tmp_path, concurrency=1)
    assert type(caught.value) is expected
    assert refusing.requests == 4
    assert not (tmp_path / "dead").exists()


async def test_a_job_goes_on_where_its_quota_was_spent(tmp_path: Path) -> None:
    example = EXAMPLES["OpenAI: insufficient_quota"]
    quota = 3

    def twist(texts: list[str], found: list[Any]) -> web.Response | None:
        return response(example) if limited.requests > quota else None

    limited = Provider(twist)
    async with emulator.serve() as url, limited.serve() as endpoint, remote_model(url, endpoint) as (ml, model_id):
        options: dict[str, Any] = {"batch": BATCH, "checkpoint": tmp_path / "job", "concurrency": 1}
        with pytest.raises(QuotaExceeded):
            async with ml.ingest(ROWS, model=model_id, sink=tmp_path / "out.jsonl", **options) as running:
                await running
        quota = 1000
        async with ml.ingest(ROWS, model=model_id, sink=tmp_path / "out.jsonl", **options) as running:
            report = await running
    assert report.written == len(ROWS)
    # The refused request is the only one that is sent twice.
    assert limited.requests == len(ROWS) // BATCH + 1


POISON = "text 30"
TWO = [1.0, 2.0]


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        (TWO, r"dimension 2, and those of the model have 16"),
        ([1.0] * 15 + [None], r"has null in place of a number"),
        ([1.0] * 15 + ["NaN"], r"has 'NaN' in place of a number"),
        ([], r"non-empty List"),
        (["1.0"] * DIMENSION, r"Float values"),
    ],
)
@pytest.mark.parametrize("batch", [1, BATCH])
async def test_a_poison_vector_is_one_dead_letter(tmp_path: Path, batch: int, vector: list[Any], why: str) -> None:
    def twist(texts: list[str], found: list[Any]) -> None:
        if POISON in texts:
            found[texts.index(POISON)] = vector

    report = await run(Provider(twist), tmp_path, batch=batch)
    assert (report.written, report.failed) == (63, 1)
    (letter,) = dead_letters(tmp_path)
    assert letter["id"] == "30"
    assert why in letter["why"]


@pytest.mark.parametrize("more", [-1, 1])
async def test_a_vector_too_few_or_too_many_is_one_dead_letter(tmp_path: Path, more: int) -> None:
    def twist(texts: list[str], found: list[Any]) -> None:
        if POISON in texts:
            found[:] = found[:-1] if more < 0 else [*found, found[0]]

    report = await run(Provider(twist), tmp_path)
    assert (report.written, report.failed) == (63, 1)


async def test_a_resumed_job_does_not_take_the_poisons_dimension_for_its_own(tmp_path: Path) -> None:
    def twist(texts: list[str], found: list[Any]) -> web.Response | None:
        if "text 0" in texts or "text 1" in texts:
            found[:] = [TWO] * len(texts)
        return response(EXAMPLES["OpenAI: insufficient_quota"]) if odd.requests == stop else None

    odd = Provider(twist)
    stop = 3
    async with emulator.serve() as url, odd.serve() as endpoint, remote_model(url, endpoint) as (ml, model_id):
        options: dict[str, Any] = {"batch": 1, "checkpoint": tmp_path / "job", "concurrency": 1}
        options["dead_letters"] = tmp_path / "dead"
        with pytest.raises(QuotaExceeded):
            async with ml.ingest(ROWS, model=model_id, sink=tmp_path / "out.jsonl", **options) as running:
                await running
        stop = 0
        async with ml.ingest(ROWS, model=model_id, sink=tmp_path / "out.jsonl", **options) as running:
            report = await running
    assert (report.written, report.failed) == (62, 2)
    assert sorted(letter["id"] for letter in dead_letters(tmp_path)) == ["0", "1"]


async def test_a_model_that_is_changed_during_a_job_ends_it(tmp_path: Path) -> None:
    def twist(texts: list[str], found: list[Any]) -> None:
        if changing.requests > 3:
            found[:] = [TWO] * len(texts)

    changing = Provider(twist)
    with pytest.raises(ModelFails, match=r"dimension 2, and those of this job.* 16: the model was changed"):
        await run(changing, tmp_path, concurrency=1)
    assert not (tmp_path / "dead").exists()


async def test_a_model_that_is_changed_between_two_runs_ends_the_second(tmp_path: Path) -> None:
    def twist(texts: list[str], found: list[Any]) -> web.Response | None:
        if changing.requests == 3:
            return response(EXAMPLES["OpenAI: insufficient_quota"])
        if changing.requests > 3:
            found[:] = [TWO] * len(texts)
        return None

    changing = Provider(twist)
    async with emulator.serve() as url, changing.serve() as endpoint, remote_model(url, endpoint) as (ml, model_id):
        options: dict[str, Any] = {"batch": BATCH, "checkpoint": tmp_path / "job", "concurrency": 1}
        for expected in (QuotaExceeded, ModelFails):
            with pytest.raises(expected):
                async with ml.ingest(ROWS, model=model_id, sink=tmp_path / "out.jsonl", **options) as running:
                    await running
