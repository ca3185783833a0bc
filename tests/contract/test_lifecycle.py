"""Contract tests: from a model file to a deployed model in one call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from aiomlcommons import BlockedBySetting, DeclaredModel, MLSettings, NotFound, Session
from tests.support.contract.kinds import KINDS, REGISTERED, forget, spec_of, uploaded
from tests.support.contract.undoing import afterwards
from tests.support.model_files import big_zip

pytestmark = pytest.mark.asyncio


async def test_a_model_is_ensured_once_and_found_afterwards(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    spec = spec_of("dense", zips["dense"], unique)
    async with afterwards(lambda: forget(ml, unique)):
        first = await ml.models.ensure(spec)
        again = await ml.models.ensure(spec)
        assert (first.registered, first.deployed, again.registered, again.deployed) == (True, True, False, False)
        assert again.model_id == first.model_id
        assert (await ml.embed_one(first.model_id, "hello")).shape == (16,)
        assert (await ml.models.ensure(unique)).model_id == first.model_id
        assert await ml.models.remove(first.model_id, empty_group=True)
    with pytest.raises(NotFound):
        await ml.models.get(first.model_id)
    assert not await ml.models.remove(first.model_id)


async def test_several_who_ensure_one_model_at_once_get_the_same(
    ml: Session, unique: str, zips: dict[str, Path]
) -> None:
    spec = spec_of("dense", zips["dense"], unique)
    async with afterwards(lambda: forget(ml, unique)):
        ensured = await asyncio.gather(*(ml.models.ensure(spec) for _ in range(4)))
        assert len({one.model_id for one in ensured}) == 1
        found = [hit.id async for hit in ml.models.search({"query": {"term": {"name.keyword": unique}}})]
        assert found == [ensured[0].model_id]


async def test_a_file_of_several_chunks_comes_whole(ml: Session, unique: str, tmp_path: Path) -> None:
    file = await asyncio.to_thread(big_zip, tmp_path / "big.zip", 4)
    spec = attrs.evolve(spec_of("dense", file, unique), model_config=KINDS["dense"].model_config)
    ensured = await ml.models.ensure(spec, deploy=False)
    async with afterwards(lambda: ml.models.remove(ensured.model_id, empty_group=True)):
        assert ensured.model.model_state in REGISTERED
        assert ensured.model.total_chunks == 4
        assert not (await ml.models.ensure(spec, deploy=False)).registered


@pytest.mark.since("2.8", "a switch for local files")
async def test_a_setting_in_the_way_is_named(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    off = MLSettings(allow_registering_model_via_local_file=False)
    async with afterwards(lambda: forget(ml, unique)), ml.settings.temporarily(off):
        with pytest.raises(BlockedBySetting, match="allow_registering_model_via_local_file to true"):
            await ml.models.ensure(attrs.evolve(spec_of("dense", zips["dense"], unique), group=None))


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_a_model_is_deployed_as_long_as_its_context(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        async with ml.models.deployed(model_id) as model:
            assert await ml.sparse(model.model_id, ["hello world"])
        assert not (await ml.models.get(model_id)).is_deployed


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_a_declared_model_goes_all_the_way_and_back(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    class Declared(DeclaredModel):
        model = unique
        group = unique
        path = zips["tokenizer"]
        function_name = "SPARSE_TOKENIZE"

    async with afterwards(lambda: Declared.delete(ml, empty_group=True)):
        assert await Declared.status(ml) is None
        await Declared.register(ml)
        assert await Declared.registered(ml)
        await Declared.deploy(ml)
        await Declared.wait_until_complete(ml, Declared.deployed, max_attempts=20)
        assert len(await Declared.all(ml)) == 1
        assert await Declared.delete(ml, empty_group=True)
