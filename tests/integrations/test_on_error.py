"""Rows that fail, as a column of reasons: Embed and Index on batches, without Ray."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from anyio.from_thread import start_blocking_portal

from aiomlcommons import InvalidRequest
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.integrations.ray import Embed, Index, RowsFailed
from tests.support.bulk_server import BulkServer, bulk_server, failed, knn
from tests.support.emulator_with_models import EmulatorWithModels

TEXTS: list[Any] = ["a soft answer", None, "a stone", "poison", "turns wrath away"]
GOOD, BAD = [0, 2, 4], [1, 3]
IDS = list("abcde")
NO_TEXT, POISON = "its text must be a string, not NoneType", "ServerError: the text cannot be translated"
REASONS = [None, NO_TEXT, None, POISON, None]


def reasons(batch: Any, name: str = "error") -> list[str | None]:
    """Return the reasons of a batch; a server's, without the details that follow them."""
    values = batch[name].tolist() if isinstance(batch, dict) else batch[name].to_pylist()
    return [why and why.partition(" (")[0] for why in values]


@pytest.fixture
def poisoned(world: EmulatorWithModels) -> EmulatorWithModels:
    world.poison("poison")
    return world


@pytest.fixture
def server() -> Iterator[BulkServer]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(bulk_server(knn(384))) as running:
        yield running


def table(texts: Any = TEXTS) -> Any:
    return pa.table({"id": IDS[: len(texts)], "text": pa.array(texts, pa.string())})


def arrays() -> dict[str, Any]:
    return {"id": np.array(IDS, object), "text": np.array(TEXTS, object)}


def good(world: EmulatorWithModels) -> Any:
    return world.vectors([TEXTS[row] for row in GOOD])


def test_a_table_has_reasons_where_its_vectors_are_null(poisoned: EmulatorWithModels) -> None:
    got = Embed(poisoned.dense, poisoned.url, batch=2, on_error="column")(table())
    assert got.schema.field("embedding").type == pa.list_(pa.float32(), 384)
    assert reasons(got) == REASONS
    vectors = got["embedding"].to_pylist()
    assert [row for row, vector in enumerate(vectors) if vector is None] == BAD
    np.testing.assert_array_equal(np.array([vectors[row] for row in GOOD], "f4"), good(poisoned))


def test_arrays_have_reasons_where_their_vectors_are_not_a_number(poisoned: EmulatorWithModels) -> None:
    got = Embed(poisoned.dense, poisoned.url, batch=2, on_error="column", error="why")(arrays())
    assert reasons(got, "why") == REASONS
    assert (got["embedding"].dtype, got["embedding"].shape) == (np.float32, (5, 384))
    assert np.isnan(got["embedding"][BAD]).all()
    np.testing.assert_array_equal(got["embedding"][GOOD], good(poisoned))


def test_sparse_vectors_are_null_likewise(poisoned: EmulatorWithModels) -> None:
    embed = Embed(poisoned.sparse, poisoned.url, batch=2, on_error="column")
    weights = poisoned.weights([TEXTS[row] for row in GOOD])
    in_table = embed(table())["embedding"].to_pylist()
    assert [in_table[row] for row in BAD] == [None, None]
    assert [dict(in_table[row]) for row in GOOD] == [pytest.approx(one) for one in weights]
    in_arrays = embed(arrays())["embedding"]
    assert [in_arrays[row] for row in BAD] == [None, None]
    assert [{pair["token"]: pair["weight"] for pair in in_arrays[row]} for row in GOOD] == weights


def test_columns_have_their_types_also_where_no_row_fails_or_all_do(poisoned: EmulatorWithModels) -> None:
    embed = Embed(poisoned.dense, poisoned.url, on_error="column")
    whole, none = embed(table(["a", "b"])), embed(table([None, "poison"]))
    assert whole.schema == none.schema
    assert whole["error"].null_count == none["embedding"].null_count == 2
    assert reasons(none) == [NO_TEXT, POISON]
    no_text = Embed(poisoned.sparse, poisoned.url, on_error="column")(table([None]))
    assert no_text.schema.field("embedding").type == pa.map_(pa.string(), pa.float32())


def test_all_rows_that_fail_are_named_without_the_column(poisoned: EmulatorWithModels) -> None:
    poisoned.poison("stone")
    with pytest.raises(RowsFailed, match="ServerError") as caught:
        Embed(poisoned.dense, poisoned.url, id="id", batch=1)(table(["a soft answer", "poison", "a stone"]))
    assert (caught.value.rows, caught.value.ids) == ([1, 2], ["b", "c"])


def test_what_is_no_rows_fault_fails_the_batch(world: EmulatorWithModels) -> None:
    world.emulator.faults.fail(500, times=None, reason="broken")
    with pytest.raises(RowsFailed, match=r"ModelFails: .*broken"):
        Embed(world.dense, world.url, on_error="column", concurrency=1, stall_timeout=0.5)(table(["a", "b"]))


def test_what_embed_says_goes_through_the_index(poisoned: EmulatorWithModels, server: BulkServer) -> None:
    server.on_item = lambda key, _: failed("mapper_parsing_exception", "no", 400) if key == "c" else None
    embed = Embed(poisoned.dense, poisoned.url, on_error="column")
    index = Index("docs", server.url, on_error="column")
    for batch in (table(), arrays()):
        server.documents.clear()
        got = index(embed(batch))
        assert list(got if isinstance(got, dict) else got.column_names) == ["id", "text", "error"]
        assert reasons(got) == [None, NO_TEXT, "mapper_parsing_exception: no", POISON, None]
        assert {key: sorted(row) for key, row in server.documents.items()} == {
            key: ["embedding", "id", "text"] for key in ("a", "e")
        }


def test_a_row_without_an_id_has_a_reason(server: BulkServer) -> None:
    vectors = pa.array([[1.0] * 384] * 2 + [None], pa.list_(pa.float32(), 384))
    got = Index("docs", server.url, on_error="column")(pa.table({"id": ["a", "", "c"], "embedding": vectors}))
    no_id, no_vector = "its id must be text or a whole number, not ''", "it has no vector: 'embedding' is null"
    assert got["error"].to_pylist() == [None, no_id, no_vector]
    assert list(server.documents) == ["a"]


def test_a_batch_of_which_no_row_can_be_written_asks_for_nothing(server: BulkServer) -> None:
    got = Index("docs", server.url, on_error="column")(pa.table({"id": ["a"], "embedding": pa.nulls(1)}))
    assert (got.column_names, got["error"].null_count, server.heard) == (["id", "error"], 0, [])


def test_each_request_keeps_to_the_rate_of_the_actor(
    world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[tuple[float, float, int]] = []

    async def wait(self: RateLimit, texts: Any, requests: int = 1) -> None:
        waits.append((self.requests, self.tokens, sum(map(self.tokens_of, texts))))

    monkeypatch.setattr(RateLimit, "wait", wait)
    rates: dict[str, Any] = {"requests_per_minute": 60, "tokens_per_minute": 9_000, "count_tokens": len}
    Embed(world.dense, world.url, batch=2, concurrency=1, **rates)(table(["a", "bc", "d"]))
    assert waits == [(60, 9_000, 3), (60, 9_000, 1)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_error": "skip"}, "on_error must be 'raise' or 'column', not 'skip'"),
        ({"on_error": "column", "error": "text"}, "'text' is another one"),
        ({"on_error": "column", "error": "embedding"}, "'embedding' is another one"),
        ({"on_error": "column", "id": "key", "error": "key"}, "'key' is another one"),
        ({"requests_per_minute": 0}, "requests_per_minute must be more than 0, not 0"),
        ({"tokens_per_minute": "x"}, "tokens_per_minute must be a number, not 'x'"),
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Embed("m", **options)


def test_wrong_options_of_index_are_refused_at_once() -> None:
    with pytest.raises(InvalidRequest, match="on_error must be"):
        Index("docs", on_error="report")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="'id' is another one"):
        Index("docs", on_error="column", error="id")
    with pytest.raises(InvalidRequest, match="replicas_off is for jobs"):
        Index("docs", replicas_off=True)
