"""Declarative models: specs, actions and queries."""

from __future__ import annotations

from typing import ClassVar

import pytest

from aiomlcommons import InvalidRequest, NotComplete
from aiomlcommons.api.model_records import DeploySetting, ModelState
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.lifecycle.catalogue import NICKNAMES, find
from aiomlcommons.lifecycle.declared import DeclaredModel
from aiomlcommons.lifecycle.spec import FileModel, PretrainedModel, RemoteModel, UrlModel
from tests.support.ensure_process import DENSE
from tests.support.paths import MODELS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio


class Encoder(DeclaredModel):
    model = "neural_sparse_encoding"
    version = "1.0.1"
    model_format = "TORCH_SCRIPT"
    description = "Creates sparse embedding for onboarding docs"


class Tiny(DeclaredModel):
    model = "tiny"
    path = MODELS / "tiny-dense.zip"
    model_config = DENSE
    group = "declared"
    deploy_setting = DeploySetting(is_auto_deploy_enabled=False)


class Remote(DeclaredModel):
    model = "remote"
    connector: ClassVar = openai_embeddings("text-embedding-3-small", "key")


class ByUrl(DeclaredModel):
    model = "by url"
    url = "http://host/model.zip"
    model_content_hash_value = "A" * 64
    model_config = DENSE


def declared(name: str, **fields: str) -> type[DeclaredModel]:
    made: type[DeclaredModel] = type(name, (DeclaredModel,), fields)
    return made


@pytest.mark.parametrize("declared", [Encoder, Tiny, Remote])
async def test_a_declared_model_goes_all_the_way_and_back(world: ServedEmulator, declared: type[DeclaredModel]) -> None:
    ml = world.ml
    assert (await declared.status(ml), await declared.registered(ml), await declared.deployed(ml)) == (
        None,
        False,
        False,
    )
    made = await declared.register(ml, backoff=NOW)
    assert (await declared.status(ml), await declared.registered(ml)) == (ModelState.REGISTERED, True)
    assert (await declared.deploy(ml, backoff=NOW)).model_id == made.model_id
    assert await declared.deployed(ml)
    assert [model.name for model in await declared.all(ml)] == [made.model.name]
    assert await declared.undeploy(ml)
    assert (await declared.status(ml), await declared.registered(ml)) == (ModelState.UNDEPLOYED, True)
    assert await declared.delete(ml)
    group_id = made.model.model_group_id
    assert group_id is not None
    assert (await ml.model_groups.get(group_id)).name, "a group stays unless it is asked for"
    assert await declared.deploy(ml, backoff=NOW)
    assert await declared.delete(ml, empty_group=True)
    assert not await ml.model_groups.search()
    assert (await declared.delete(ml), await declared.undeploy(ml)) == (False, False)


async def test_a_group_that_a_deletion_left_goes_with_the_next_one(world: ServedEmulator) -> None:
    await Tiny.register(world.ml, backoff=NOW)
    assert await Tiny.delete(world.ml) is True
    assert await Tiny.delete(world.ml) is False
    assert len(await world.ml.model_groups.search()) == 1
    assert await Tiny.delete(world.ml, empty_group=True) is True
    assert not await world.ml.model_groups.search()


async def test_waiting_ends_when_it_is_so_and_raises_when_it_never_is(world: ServedEmulator) -> None:
    with pytest.raises(NotComplete, match="Encoder is not registered after 3 attempts; it is None"):
        await Encoder.wait_until_complete(world.ml, Encoder.registered, max_attempts=3, backoff=NOW)
    with pytest.raises(TimeoutError, match="Encoder is not deployed after"):
        await Encoder.wait_until_complete(world.ml, Encoder.deployed, within=0)
    await Encoder.deploy(world.ml, backoff=NOW)
    await Encoder.wait_until_complete(world.ml, Encoder.deployed, max_attempts=1)


async def test_a_class_says_which_way_its_model_comes() -> None:
    kinds = [type(declared.spec()) for declared in (Encoder, Tiny, Remote, ByUrl)]
    assert kinds == [PretrainedModel, FileModel, RemoteModel, UrlModel]
    assert isinstance(ByUrl.spec(), UrlModel)
    with pytest.raises(InvalidRequest, match="Nothing declares no model"):
        declared("Nothing").spec()
    with pytest.raises(InvalidRequest, match="needs the file's model_content_hash_value"):
        declared("NoHash", model="x", url="http://host/x.zip").spec()


@pytest.mark.parametrize("nickname", NICKNAMES)
async def test_each_nickname_is_that_of_a_pretrained_model(nickname: str) -> None:
    known = find(nickname)
    assert known
    assert known.name == NICKNAMES[nickname]
