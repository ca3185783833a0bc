"""Embed on batches, without Ray."""

from __future__ import annotations

import gc
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from aiohttp import web

from aiomlcommons import InvalidRequest
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.inference.methods import Inference
from aiomlcommons.integrations.ray import Embed, RowsFailed
from tests.support.emulator_with_models import EmulatorWithModels

TEXTS = [f"word{i} and {i % 7}" for i in range(50)]
THREAD = "aiomlcommons"


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    gc.collect()
    assert not threads()


def threads() -> list[threading.Thread]:
    """Return the threads of workers, once those have ended that were collected on the thread of an event loop."""
    for closing in [one for one in threading.enumerate() if one.name == f"{THREAD} closes"]:
        closing.join()
    return [one for one in threading.enumerate() if one.name == THREAD]


def arrays(texts: list[Any] = TEXTS) -> dict[str, Any]:
    return {"id": np.arange(len(texts)), "text": np.array(texts, object)}


def table(texts: list[Any] = TEXTS) -> Any:
    return pa.table({"id": [f"d{i}" for i in range(len(texts))], "text": texts})


def test_arrays_get_a_float32_array_of_the_vectors_of_embed_many(world: EmulatorWithModels) -> None:
    got = Embed(world.dense, world.url, batch=8)(arrays())
    assert list(got) == ["id", "text", "embedding"]
    assert (got["embedding"].shape, got["embedding"].dtype) == ((50, 384), np.float32)
    np.testing.assert_array_equal(got["embedding"], world.vectors(TEXTS))


def test_a_table_gets_a_column_of_fixed_lists(world: EmulatorWithModels) -> None:
    got = Embed(world.dense, world.url, batch=8)(table())
    assert got.schema.field("embedding").type == pa.list_(pa.float32(), 384)
    np.testing.assert_array_equal(np.array(got["embedding"].to_pylist(), "f4"), world.vectors(TEXTS))


def test_a_sparse_model_gives_maps_in_a_table_and_lists_beside_arrays(world: EmulatorWithModels) -> None:
    embed, weights = Embed(world.sparse, world.url, batch=8), world.weights(TEXTS)
    got = embed(table())
    assert got.schema.field("embedding").type == pa.map_(pa.string(), pa.float32())
    assert [dict(one) for one in got["embedding"].to_pylist()] == [pytest.approx(one) for one in weights]
    lists = embed(arrays())["embedding"]
    assert [{pair["token"]: pair["weight"] for pair in one} for one in lists] == weights


def test_columns_have_the_names_that_are_asked_for_and_an_old_one_is_replaced(world: EmulatorWithModels) -> None:
    embed = Embed(world.dense, world.url, text="body", output="vector")
    got = embed(pa.table({"vector": [0], "body": ["a"]}))
    assert got.column_names == ["vector", "body"]
    np.testing.assert_array_equal(np.array(got["vector"].to_pylist(), "f4"), world.vectors(["a"]))
    assert embed({"vector": np.zeros(1), "body": np.array(["a"])})["vector"].shape == (1, 384)


def test_all_batches_go_through_one_session_in_one_thread(world: EmulatorWithModels) -> None:
    opened: list[web.BaseRequest] = []

    async def count(request: web.BaseRequest, go: CallNext) -> Any:
        opened.append(request)
        return await go()

    world.emulator.faults.add(count, on=lambda http: http.method == "GET", times=None)
    embed = Embed(world.dense, world.url, concurrency=1)
    embed(arrays())
    looked = len(opened)
    assert looked
    assert len(threads()) == 1
    for _ in range(3):
        embed(table())
    assert len(threads()) == 1
    assert len(opened) == looked


def test_a_model_is_found_by_its_name_and_the_cluster_by_the_environment(
    world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", world.url)
    got = Embed("all-MiniLM-L6-v2")(arrays(["a"]))
    np.testing.assert_array_equal(got["embedding"], world.vectors(["a"]))


def test_closing_ends_the_thread_and_a_later_batch_opens_another_session(world: EmulatorWithModels) -> None:
    embed = Embed(world.dense, world.url)
    embed.close()
    embed(arrays())
    embed.close()
    embed.close()
    assert not threads()
    assert embed(arrays())["embedding"].shape == (50, 384)


def test_it_is_pickled_before_it_is_opened_and_after(world: EmulatorWithModels) -> None:
    embed = Embed(world.dense, world.url, id="id", session={"auth": ("a", "b")})
    copy = pickle.loads(pickle.dumps(embed))  # noqa: S301 - our own
    embed(table())
    late = pickle.loads(pickle.dumps(embed))  # noqa: S301
    for one in (copy, late):
        assert one(table()).equals(embed(table()))
    assert len(threads()) == 3


def test_nobody_sees_the_options_of_the_session() -> None:
    embed = Embed("m", "http://localhost", session={"auth": ("admin", "hush")})
    assert repr(embed) == "Embed('m', 'http://localhost', text='text', output='embedding')"
    assert "hush" not in repr(embed.__getstate__())


def test_an_empty_batch_is_no_request(world: EmulatorWithModels) -> None:
    embed = Embed(world.dense, "http://127.0.0.1:9")
    assert embed(table([]).slice(0, 0)).num_rows == 0
    assert not threads()


@pytest.mark.parametrize("make", [arrays, table])
def test_texts_that_are_none_are_named_with_their_ids(make: Any) -> None:
    embed = Embed("m", "http://127.0.0.1:9", id="id")
    with pytest.raises(RowsFailed, match=r"rows 1, 3 \(ids '\D?1', '\D?3'\) of the batch failed: its text .* NoneType"):
        embed(make(["a", None, "b", None]))


def test_a_poisoned_row_is_named_alone_and_travels_to_another_process(world: EmulatorWithModels) -> None:
    world.poison("word33 ")
    with pytest.raises(RowsFailed, match=r"row 33 \(id 'd33'\) of the batch failed: ServerError: the text") as caught:
        Embed(world.dense, world.url, id="id", batch=16)(table())
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(copy), copy.rows, copy.ids) == (str(caught.value), [33], ["d33"])
    with pytest.raises(RowsFailed) as caught:
        Embed(world.dense, world.url, batch=16)(table())
    assert (caught.value.rows, caught.value.ids) == ([33], [])


def test_a_model_that_fails_on_everything_names_the_rows_of_the_request(world: EmulatorWithModels) -> None:
    world.emulator.faults.fail(500, times=None, reason="broken")
    with pytest.raises(RowsFailed, match=r"rows 0, 1, .*, 9 and 6 more of the batch failed: ModelFails: .*broken"):
        Embed(world.dense, world.url, batch=16, concurrency=1, stall_timeout=0.5)(arrays())


def test_trouble_that_passes_is_waited_out(world: EmulatorWithModels) -> None:
    world.emulator.faults.throttle(times=3)
    world.emulator.faults.drop(times=2)
    got = Embed(world.dense, world.url, batch=8)(arrays())
    np.testing.assert_array_equal(got["embedding"], world.vectors(TEXTS))


def test_what_cannot_be_opened_leaves_no_thread(world: EmulatorWithModels) -> None:
    with pytest.raises(Exception, match="no model has the id or the name 'nothing'"):
        Embed("nothing", world.url)(arrays())
    assert not threads()


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match="the batch has no column 'body'; it has 'id', 'text'"):
        Embed("m", text="body")(table())
    with pytest.raises(InvalidRequest, match="the batch has no column 'key'; it has 'id', 'text'"):
        Embed("m", id="key")(arrays())


def test_another_kind_of_batch_is_refused() -> None:
    with pytest.raises(TypeError, match='must be "numpy" or "pyarrow"; the batch is a DataFrame'):
        Embed("m")(pd.DataFrame({"text": ["a"]}))


@pytest.mark.parametrize(("options", "words"), [({"batch": 0}, "batch must be 1"), ({"concurrency": 0}, "concurrency")])
def test_sizes_below_one_are_refused_at_once(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Embed("m", **options)  # type: ignore[arg-type]


def test_content_type_reaches_the_model(world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = Inference.embed_many

    async def spy(self: Any, model_id: str, texts: Any, *, content_type: Any = None, **options: Any) -> Any:
        seen.append(content_type)
        return await real(self, model_id, texts, **options)

    monkeypatch.setattr(Inference, "embed_many", spy)
    Embed(world.dense, world.url, content_type="passage")(arrays(["a"]))
    assert seen == ["passage"]
