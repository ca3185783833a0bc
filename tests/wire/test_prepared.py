"""Requests that are prepared without their texts: the same bytes as of the whole request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import EnsuredModel, InvalidRequest, Session
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import Predict
from aiomlcommons.endpoint import Route
from aiomlcommons.http import CBOR, HttpRequest
from aiomlcommons.inference.methods import _embedding
from aiomlcommons.wire.codec import to_http
from aiomlcommons.wire.prepared import Prepared
from tests.support.one_answer import Says
from tests.wire.recordings import exchanges

RECORDED = {exchange.case: exchange for exchange in exchanges()}
OTHER = Route("POST", "/_old/{model_id}/_predict/{algorithm}")


def whole(texts: Any, model_id: str, side: Any) -> Predict:
    parameters = {"content_type": side} if side else None
    return Predict(
        "text_embedding", model_id, text_docs=texts, return_bytes=True, return_number=False, parameters=parameters
    )


@settings(deadline=None)
@given(
    st.lists(st.text(), min_size=1, max_size=4),
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=4),
    st.sampled_from([None, "query", "passage"]),
    st.sampled_from([None, OTHER]),
)
def test_it_is_encoded_as_the_whole_request(texts: list[str], model_id: str, side: Any, route: Route | None) -> None:
    prepared = _embedding(model_id, side)
    for some in (texts, [*texts, "another"], tuple(texts)):
        assert outcome(partial(prepared.to_http, some, route)) == outcome(
            partial(to_http, whole(some, model_id, side), route, accept=CBOR)
        )


def outcome(encode: Callable[[], HttpRequest]) -> HttpRequest | str:
    """Return the encoded request, or the words of the error."""
    try:
        return encode()
    except InvalidRequest as error:
        return str(error)


def test_what_json_cannot_hold_is_named_in_the_words_of_the_careful_way() -> None:
    with pytest.raises(InvalidRequest, match=r"\$\['text_docs'\]\[1\]"):
        _embedding("m", None).to_http(["a", "\ud800"])


def test_what_is_wrong_beside_the_texts_is_said_each_time() -> None:
    prepared = Prepared(whole(None, "", None), "text_docs", accept=CBOR)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="model_id must not be empty"):
            prepared.to_http(["a"])


@pytest.mark.asyncio
async def test_an_ensured_model_is_prepared_once_as_its_id_is() -> None:
    model = EnsuredModel(model_id="an/id", model=Model())
    says = Says(RECORDED["predict.dense_cbor"].response)
    async with Session(transport=says) as ml:
        await ml.embed_many("an/id", ["a", "b"])
        before = _embedding.cache_info().hits
        await ml.embed_many(model, ["a", "b"])
    assert _embedding.cache_info().hits == before + 1
    first, second = says.heard
    assert (first.path, first.body) == (second.path, second.body)
