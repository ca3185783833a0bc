"""Names of models are found as people paste them, and an unknown one is answered with what it may mean."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from aiomlcommons import InvalidRequest, NoSuchModel, PretrainedModel, RemoteModel
from aiomlcommons.api.models import SearchModels
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.emulator.errors import refused
from aiomlcommons.lifecycle import catalogue
from aiomlcommons.lifecycle.catalogue import NICKNAMES, PRETRAINED
from aiomlcommons.lifecycle.pasted_names import is_hub_id, plain_name
from tests.support.jobs import Memory
from tests.support.served_emulator import NOW, ServedEmulator

FULL = "huggingface/sentence-transformers/all-MiniLM-L6-v2"
PASTED = (
    FULL,
    "sentence-transformers/all-MiniLM-L6-v2",
    "all-MiniLM-L6-v2",
    "all-minilm-l6-v2",
    "SENTENCE-TRANSFORMERS/ALL-MINILM-L6-V2",
    " all-MiniLM-L6-v2\n",
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    "http://www.huggingface.co/sentence-transformers/all-MiniLM-L6-v2/",
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/tree/main/onnx?x=1#files",
    "huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    "hf.co/sentence-transformers/all-MiniLM-L6-v2",
    "hf://sentence-transformers/all-MiniLM-L6-v2",
    "sentence_transformers_minilm_6",
)
REMOTE = RemoteModel(name="Our Model", connector=openai_embeddings("m", "key"))


@pytest.mark.parametrize("name", PASTED)
def test_a_pretrained_model_is_found_as_its_name_is_pasted(name: str) -> None:
    found = catalogue.find(name)
    assert found is not None
    assert found.name == FULL
    assert PretrainedModel(name=name).known is found


@pytest.mark.parametrize(
    ("pasted", "short"),
    [
        ("opensearch-project/opensearch-neural-sparse-encoding-v1", "opensearch-neural-sparse-encoding-v1"),
        (
            "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v3-gte",
            "opensearch-neural-sparse-encoding-doc-v3-gte",
        ),
        (
            "https://huggingface.co/opensearch-project/opensearch-semantic-highlighter-v1",
            "opensearch-semantic-highlighter-v1",
        ),
        ("cross-encoder/ms-marco-MiniLM-L-6-v2", "ms-marco-MiniLM-L-6-v2"),
        ("cross-encoder/ms-marco-MiniLM-L6-v2", "ms-marco-MiniLM-L-6-v2"),
        ("ms-marco-minilm-l12-v2", "ms-marco-MiniLM-L-12-v2"),
    ],
)
def test_the_ids_of_hugging_face_are_those_of_the_catalogue(pasted: str, short: str) -> None:
    found = catalogue.find(pasted)
    assert found is not None
    assert found.short_name == short


def test_each_model_has_names_of_its_own() -> None:
    assert all(catalogue.find(name) is model for model in PRETRAINED for name in (model.name, model.short_name))
    assert all(catalogue.find(nickname) for nickname in NICKNAMES)


def test_the_repository_of_another_owner_is_another_model() -> None:
    assert catalogue.find("someone/all-MiniLM-L6-v2") is None
    assert catalogue.find("https://huggingface.co/someone/all-MiniLM-L6-v2") is None
    with pytest.raises(InvalidRequest, match="is called 'someone/all-MiniLM-L6-v2'; did you mean 'all-MiniLM-L6-v2'"):
        PretrainedModel(name="someone/all-MiniLM-L6-v2")


def test_what_is_no_address_of_a_model_stays_as_it_is() -> None:
    for text in (
        "",
        "https://huggingface.co/",
        "https://example.com/a/b",
        "https://huggingface.co.evil.com/a/b",
        "a b",
    ):
        assert plain_name(f" {text} ") == text
    assert plain_name("https://huggingface.co/models/a/b") == "a/b"
    assert plain_name("https://huggingface.co/gpt2") == "gpt2"
    assert (is_hub_id("a/b"), is_hub_id("a"), is_hub_id("a/b/c"), is_hub_id("a/b c")) == (True, False, False, False)


async def register(world: ServedEmulator, name: str, **fields: Any) -> str:
    made = await world.ml.models.ensure(attrs.evolve(REMOTE, name=name), deploy=False, backoff=NOW)
    world.emulator.cluster.models.change(made, **fields)
    return made.model_id


async def ensured(world: ServedEmulator, name: str) -> str:
    return (await world.ml.models.ensure(name, deploy=False, backoff=NOW)).model_id


@pytest.mark.asyncio
@pytest.mark.parametrize("name", PASTED)
async def test_a_pasted_name_is_ensured_once(world: ServedEmulator, name: str) -> None:
    made = await world.ml.models.ensure(name, backoff=NOW)
    assert made.model.name == FULL
    assert await world.ml.models.ensure(name, backoff=NOW) == made
    async with world.ml.ingest(Memory([{"id": "a", "text": "b"}]), model=name, sink=lambda _: None) as job:
        assert (await job).written == 1
    assert len(await world.models()) == 1


@pytest.mark.asyncio
async def test_a_registered_name_is_found_in_another_case_and_with_spaces_around_it(world: ServedEmulator) -> None:
    key = await register(world, "Our Model")
    for name in ("Our Model", "our model", " OUR MODEL "):
        assert await ensured(world, name) == key


@pytest.mark.asyncio
async def test_the_exact_name_wins_over_one_in_another_case(world: ServedEmulator) -> None:
    small, big = await register(world, "ours"), await register(world, "OURS")
    assert (await ensured(world, "ours"), await ensured(world, "OURS")) == (small, big)
    with pytest.raises(NoSuchModel, match="no model has the name 'Ours', but 'OURS' and 'ours' do; give one of them"):
        await ensured(world, "Ours")


@pytest.mark.asyncio
async def test_a_model_from_hugging_face_is_found_by_the_address_of_its_repository(world: ServedEmulator) -> None:
    key = await register(world, "someone/all-MiniLM-L6-v2")
    assert await ensured(world, "https://huggingface.co/someone/all-MiniLM-L6-v2") == key


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("our modle", "did you mean 'Our Model'?"),
        ("MiniLM", "did you mean 'all-MiniLM-L6-v2', 'all-MiniLM-L12-v2' or"),
        ("all-MiniLM-L6-v3", "did you mean 'all-MiniLM-L6-v2'"),
        ("me/all-MiniLM-L6-v2", "'all-MiniLM-L6-v2'"),
        ("me/all-MiniLM-L6-v2", "FileModel.from_hub('me/all-MiniLM-L6-v2') uploads one from Hugging Face"),
        ("quux", "'quux'; give an id, a registered model's name, or a pretrained one such as all-MiniLM-L6-v2"),
        (" ", "' '; give an id"),
    ],
)
async def test_an_unknown_name_is_answered_with_those_of_the_cluster_and_of_the_catalogue(
    world: ServedEmulator, name: str, words: str
) -> None:
    await register(world, "Our Model")
    with pytest.raises(NoSuchModel, match=re.escape(words)):
        await ensured(world, name)


@pytest.mark.asyncio
async def test_a_user_who_may_not_search_is_told_of_the_name_all_the_same(world: ServedEmulator) -> None:
    seen: list[int] = []

    async def refuse_third(request: Any, go: Any) -> Any:
        seen.append(1)
        if len(seen) == 3:
            raise refused(403, "security_exception", "no permissions for [cluster:admin/opensearch/ml/models/search]")
        return await go()

    world.emulator.faults.add(refuse_third, on=SearchModels, times=None)
    with pytest.raises(NoSuchModel, match="did you mean 'all-MiniLM-L6-v2'"):
        await ensured(world, "all-MiniLM-L6-v3")
    assert len(seen) == 3
