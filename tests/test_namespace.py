"""Namespaces have the signatures, docs and responses of their requests, and reach every endpoint."""

from __future__ import annotations

import inspect
from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from aiomlcommons import ENDPOINTS, HttpResponse, Session
from aiomlcommons.api.models import DeployModel, Models, SearchModels
from aiomlcommons.api.predict import PredictStream
from aiomlcommons.cli.calls import endpoints
from aiomlcommons.decoding.bounded import LARGEST_RESPONSE
from aiomlcommons.endpoint import Encode, Pieces, Request
from aiomlcommons.lifecycle.methods import ModelLife
from aiomlcommons.namespace import Namespace, op, space


class Keeps:
    """A session that records requests and returns them."""

    _most = LARGEST_RESPONSE

    async def send(self, request: Request[Any], /) -> Any:
        return request

    async def raw(self, request: Request[Any], /, *, accept: str = "") -> HttpResponse:
        raise NotImplementedError

    async def _raw(self, request: Request[Any], *, encode: Encode) -> HttpResponse:
        raise NotImplementedError

    def pieces(self, request: Request[Any], /) -> AbstractAsyncContextManager[Pieces]:
        raise NotImplementedError


MODELS = Models(Keeps())


@pytest.mark.asyncio
async def test_a_call_sends_its_request() -> None:
    sent: Any = await MODELS.deploy("m", node_ids=["n"])
    assert sent == DeployModel("m", node_ids=["n"])


def test_a_call_has_the_signature_and_docs_of_its_request() -> None:
    call: Any = MODELS.deploy
    assert inspect.signature(call) == inspect.signature(DeployModel)
    assert (call.__name__, call.__doc__) == ("DeployModel", DeployModel.__doc__)
    assert Models.deploy.__doc__ == DeployModel.__doc__


def test_a_wrong_call_is_refused_as_pythons_own_are() -> None:
    with pytest.raises(TypeError, match="nope"):
        MODELS.deploy("m", nope=1).send(None)  # type: ignore[call-arg]


def test_the_class_gives_the_operation_itself() -> None:
    assert isinstance(Models.deploy, op)
    assert Models.deploy.request is DeployModel
    assert Models.search.request is SearchModels
    assert Models.predict_stream.request is PredictStream
    assert isinstance(Session.models, space)
    assert Session.models.__doc__ == ModelLife.__doc__


def test_a_namespace_is_that_of_the_session_it_is_read_from() -> None:
    one, other = Session("http://one:9200"), Session("http://other:9200")
    assert one.models == one.models != other.models
    assert isinstance(one.models, Models)
    assert one.options(retries=0).models != one.models


def test_dir_shows_the_calls_and_nothing_private() -> None:
    shown = dir(MODELS)
    assert {"deploy", "get", "search", "predict_stream"} <= set(shown)
    assert [name for name in shown if name.startswith("_")] == []


def test_every_endpoint_is_reached_by_one_name() -> None:
    reached = Counter(cls for _, cls in endpoints())
    assert reached == Counter(ENDPOINTS)


def test_every_namespace_has_docs() -> None:
    spaces = [member for _, member in inspect.getmembers_static(Session) if isinstance(member, space)]
    assert [found.namespace.__name__ for found in spaces if not found.__doc__] == []
    assert all(issubclass(found.namespace, Namespace) for found in spaces)
