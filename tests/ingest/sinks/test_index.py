"""An OpenSearch index as a sink: mappings that do not fit, and each document accepted once or refused with a reason."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import numpy as np
import orjson
import pytest
from aiohttp import web

from aiomlcommons import ApiError, Backoff, DecodeError, Forbidden, ServerError, Session
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.ingest.sinks import IndexSink, SinkError
from aiomlcommons.ingest.sinks._index_delivery import UNCLEAR
from aiomlcommons.ingest.types import Documents
from tests.support.bulk_server import INFO, BulkServer, answer, bulk_server, error, failed, knn
from tests.support.jobs import NOW
from tests.support.sinks import DIMENSION, batch, documents, sparse, vectors, written

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def sinking(server: BulkServer, index: str = "docs", **options: Any) -> AsyncIterator[IndexSink]:
    async with Session(server.url, retries=0) as ml:
        yield IndexSink(ml, index, **{"backoff": NOW, **options})


async def test_documents_are_indexed_under_their_ids_with_their_vectors() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        assert await written(sink, batch(0, 5), batch(5, 3)) == []
        assert list(server.documents) == [f"d{i}" for i in range(8)]
        row = server.documents["d7"]
        assert row["text"] == "text 7"
        assert np.array_equal(np.array(row["embedding"], "f4"), vectors(7, 1)[0])
        assert server.refreshed


async def test_writing_again_after_a_crash_leaves_every_document_once() -> None:
    async with bulk_server(knn(DIMENSION)) as server:
        async with sinking(server) as sink:
            await sink.open(None)
            await sink.write(batch(0, 3))
            state = await sink.flush()
            await sink.write(batch(3, 3))
            await sink.close(complete=False)
            assert not server.refreshed
        async with sinking(server) as sink:
            await written(sink, batch(3, 3), batch(6, 1), state=state)
        assert sorted(server.documents) == [f"d{i}" for i in range(7)]


async def test_the_id_that_a_row_has_from_an_index_is_no_field_of_the_document() -> None:
    rows = [{"_id": "a", "text": "x"}, {"_id": "other", "text": "y"}]
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        assert await written(sink, Documents(["a", "b"], list(rows), ["", ""], vectors(0, 2))) == []
        assert [sorted(server.documents[key]) for key in "ab"] == [["embedding", "text"]] * 2
    assert rows[0] == {"_id": "a", "text": "x"}


async def test_an_index_is_told_from_one_of_the_same_name_elsewhere() -> None:
    async with bulk_server() as server, sinking(server) as sink:
        assert await sink.target() == f"{INFO['cluster_uuid']} docs"
    async with bulk_server(version="") as server, sinking(server) as sink:
        assert await sink.target() == f"{server.url} docs"


# ---- base64 --------------------------------------------------------------------------------------------------------


async def vector_sent(knn_versions: Any, index: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return the vector of document 7 as a cluster with these versions of k-NN receives it."""
    at = bulk_server(index or knn(DIMENSION), knn=knn_versions)
    async with at as server, sinking(server, **options) as sink:
        assert await written(sink, batch(5, 3)) == []
        assert server.heard.count("GET /_cat/plugins") <= 1
        return server.documents["d7"]["embedding"]


@pytest.mark.parametrize("versions", [("3.8.0.0",), ("3.9.0.0", "3.8.0.0"), ("3.10.1.0",), ("4.0.0.0",)])
async def test_a_cluster_that_reads_base64_gets_vectors_as_little_endian_float32(versions: Any) -> None:
    sent = await vector_sent(versions)
    assert np.array_equal(np.frombuffer(base64.b64decode(sent, validate=True), "<f4"), vectors(7, 1)[0])


@pytest.mark.parametrize("versions", [("2.4.1.0",), ("3.7.9.0",), ("3.8.0.0", "3.7.0.0"), ("odd",), (), None])
async def test_numbers_are_sent_where_any_node_is_older_or_the_server_does_not_tell(versions: Any) -> None:
    assert np.array_equal(np.array(await vector_sent(versions), "f4"), vectors(7, 1)[0])


async def test_who_knows_better_than_the_cluster_tells_decides() -> None:
    assert isinstance(await vector_sent(None, base64=True), str)
    assert isinstance(await vector_sent(("3.9.0.0",), base64=False), list)


OTHERS: list[dict[str, Any]] = [{"data_type": kind} for kind in ("byte", "binary", "half_float")]


@pytest.mark.parametrize("more", [*OTHERS, {"model_id": "trained"}])
async def test_a_field_that_is_not_known_to_hold_floats_gets_numbers(more: dict[str, Any]) -> None:
    index = knn(DIMENSION)
    index["mappings"]["properties"]["embedding"] |= more
    assert isinstance(await vector_sent(("3.9.0.0",), index, base64=True), list)


async def test_a_field_that_says_that_it_holds_floats_gets_base64_even_in_an_index_made_just_now() -> None:
    floats = {"mappings": {"properties": {"embedding": {"data_type": "float"}}}}
    async with bulk_server(knn=("3.9.0.0",)) as server, sinking(server, create=floats) as sink:
        assert await written(sink, batch(0, 1)) == []
        assert isinstance(server.documents["d0"]["embedding"], str)


@pytest.mark.parametrize("kind", ["<f4", ">f4", "f8", "i1"])
async def test_vectors_of_any_numbers_become_float32(kind: str) -> None:
    async with bulk_server(knn(DIMENSION), knn=("3.9.0.0",)) as server, sinking(server) as sink:
        assert await written(sink, documents([{"id": "a"}, {"id": "b"}], np.arange(8).reshape(2, 4).astype(kind))) == []
        sent = base64.b64decode(server.documents["b"]["embedding"])
    assert np.frombuffer(sent, "<f4").tolist() == [4, 5, 6, 7]


async def test_what_float32_cannot_hold_is_refused_alone() -> None:
    async with bulk_server(knn(DIMENSION), knn=("3.9.0.0",)) as server, sinking(server) as sink:
        given = np.array([[1, 2, 3, 4], [1e300, 0, 0, 0], [np.nan, 0, 0, 0]])
        refused = await written(sink, documents([{"id": name} for name in "abc"], given))
        assert [one.index for one in refused] == [1, 2]
        assert list(server.documents) == ["a"]


async def test_the_vectors_of_a_sparse_model_stay_what_they_are() -> None:
    ranks = {"mappings": {"properties": {"embedding": {"type": "rank_features"}}}}
    async with bulk_server(ranks, knn=("3.9.0.0",)) as server, sinking(server, sparse=True, base64=True) as sink:
        assert await written(sink, sparse(0, 1)) == []
        assert server.documents["d0"]["embedding"] == {"t0": 0.5, "all": 1.0}


# ---- the index -------------------------------------------------------------------------------------------------------


async def test_a_new_index_is_made_for_the_models_dimension_before_any_text() -> None:
    async with bulk_server() as server, sinking(server, create=True, dimension=DIMENSION) as sink:
        sink.suits = ("innerproduct", "l2")
        await sink.open(None)
        method = {"name": "hnsw", "space_type": "innerproduct"}
        field = {"type": "knn_vector", "dimension": DIMENSION, "method": method}
        assert server.index == {"mappings": {"properties": {"embedding": field}}, "settings": {"index": {"knn": True}}}


async def test_a_new_index_has_the_engine_the_method_and_the_space_that_are_asked_for() -> None:
    method = {"name": "hnsw", "parameters": {"m": 32}}
    asked: dict[str, Any] = {"engine": "lucene", "method": method, "space_type": "l2"}
    async with bulk_server() as server, sinking(server, create=True, dimension=DIMENSION, **asked) as sink:
        await sink.open(None)
        assert server.index is not None
        made = server.index["mappings"]["properties"]["embedding"]["method"]
        assert made == {**method, "engine": "lucene", "space_type": "l2"}


async def test_an_index_that_has_another_engine_or_space_than_asked_for_is_refused_and_the_difference_said() -> None:
    index = knn(DIMENSION)
    index["mappings"]["properties"]["embedding"]["method"] = {"name": "hnsw", "engine": "faiss", "space_type": "l2"}
    asked: dict[str, Any] = {"engine": "lucene", "space_type": "cosinesimil", "dimension": 8}
    async with bulk_server(index) as server, sinking(server, create=True, **asked) as sink:
        why = "is of dimension 4, .* of 8; it has the engine faiss, not lucene; it has the space l2, not cosinesimil; "
        with pytest.raises(SinkError, match=rf"index docs: the field 'embedding' {why}.*write into a new index"):
            await sink.open(None)


async def test_a_cluster_without_knn_is_told_before_any_text_is_embedded() -> None:
    async with bulk_server(knn=()) as server, sinking(server, create=True, dimension=4) as sink:
        with pytest.raises(
            SinkError, match=r"index docs cannot be created: .* lacks the plugin opensearch-knn: install"
        ):
            await sink.open(None)


async def test_an_index_in_which_no_search_by_vectors_is_possible_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bulk_server(knn(DIMENSION), settings={}) as server, sinking(server) as sink:
        assert await written(sink, batch(0, 1)) == []
    assert caplog.text.count("index docs lacks the setting index.knn, without which searches") == 1


async def test_an_index_whose_server_makes_sparse_vectors_needs_no_setting_of_dense_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    index = {"mappings": {"properties": {"sparse": {"type": "rank_features"}}}}
    async with bulk_server(index, settings={}) as server, sinking(server) as sink:
        sink.served({"sparse": VectorField(sparse=True)})
        await sink.open(None)
        assert "lacks the setting" not in caplog.text
        sink.served({"embedding": VectorField(dimension=2)})
        with pytest.raises(SinkError, match="'embedding' is not in its mapping"):
            await sink.open(None)
        assert "lacks the setting index.knn" in caplog.text


async def test_an_index_in_whose_space_the_models_vectors_rank_otherwise_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server, dimension=DIMENSION) as sink:
        sink.suits = ("cosinesimil", "l2")
        await sink.open(None)
        assert not caplog.records
        sink.suits = ("innerproduct",)
        await sink.open(None)
    assert "compares vectors by l2, and those of this model are for innerproduct" in caplog.text


async def test_a_new_index_is_made_once_for_the_first_vectors_where_no_dimension_is_known() -> None:
    async with bulk_server() as server, sinking(server, create=True) as sink:
        await sink.open(None)
        assert server.heard == ["GET /docs/_mapping"]
        async with anyio.create_task_group() as group:
            for first in range(0, 30, 10):
                group.start_soon(sink.write, batch(first, 10))
        assert server.heard.count("PUT /docs") == 1
        assert server.index is not None
        assert server.index["mappings"]["properties"]["embedding"]["dimension"] == DIMENSION
        assert len(server.documents) == 30


async def test_the_callers_own_settings_and_mappings_are_added_to_a_new_index() -> None:
    own: dict[str, Any] = {
        "settings": {"index": {"number_of_shards": 3}},
        "mappings": {"properties": {"embedding": {"space_type": "innerproduct"}, "text": {"type": "text"}}},
    }
    async with bulk_server() as server, sinking(server, create=own, dimension=8) as sink:
        await sink.open(None)
        assert server.index == {
            "settings": {"index": {"knn": True, "number_of_shards": 3}},
            "mappings": {
                "properties": {
                    "embedding": {"type": "knn_vector", "dimension": 8, "space_type": "innerproduct"},
                    "text": {"type": "text"},
                }
            },
        }


async def test_an_index_that_somebody_else_made_meanwhile_is_taken_if_it_fits() -> None:
    for dimension, fits in ((DIMENSION, True), (5, False)):
        async with bulk_server() as server, sinking(server, create=True) as sink:
            await sink.open(None)
            server.index = knn(dimension)
            if fits:
                assert await sink.write(batch(0, 2)) == []
            else:
                with pytest.raises(SinkError, match="is of dimension 5"):
                    await sink.write(batch(0, 2))


async def test_no_index_is_a_refusal_unless_it_may_be_made() -> None:
    async with bulk_server() as server, sinking(server) as sink:
        with pytest.raises(SinkError, match=r"there is no index docs: .*create=True"):
            await sink.open(None)
        with pytest.raises(SinkError, match="not open"):
            await sink.flush()


async def test_an_index_that_is_gone_since_is_not_made_anew() -> None:
    async with bulk_server() as server, sinking(server, create=True) as sink:
        with pytest.raises(SinkError, match="docs is gone, and 1,234 documents"):
            await sink.open({"documents": 1234})
        assert "PUT /docs" not in server.heard


# ---- the same index ------------------------------------------------------------------------------------------------


async def test_an_index_that_is_deleted_and_made_anew_by_what_is_written_is_found_out_at_the_next_checkpoint() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        await sink.open(None)
        await sink.write(batch(0, 3))
        await sink.flush()
        server.delete()
        assert await sink.write(batch(3, 2)) == []  # the server reports success
        with pytest.raises(
            SinkError, match=r"docs was deleted and created again, and 5 documents written before are lost"
        ):
            await sink.flush()


async def test_an_index_that_is_deleted_and_not_written_to_since_is_found_out_too() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        await sink.open(None)
        await sink.write(batch(0, 3))
        server.delete()
        with pytest.raises(SinkError, match="docs is gone, and 3 documents were written to it"):
            await sink.flush()


@pytest.mark.parametrize("create", [True, False])
async def test_who_goes_on_after_an_index_was_made_anew_is_told_before_anything_is_written(create: bool) -> None:
    async with bulk_server(knn(DIMENSION)) as server:
        async with sinking(server) as sink:
            await sink.open(None)
            await sink.write(batch(0, 3))
            state = await sink.flush()
        server.delete()
        server.index, server.made = knn(DIMENSION), 2
        async with sinking(server, create=create) as sink:
            with pytest.raises(SinkError, match=r"docs was deleted and created again, and 3 documents"):
                await sink.open(state)
        assert server.heard.count("POST /docs/_bulk") == 1


async def test_a_checkpoint_of_an_index_that_took_nothing_yet_may_go_on_with_another() -> None:
    async with bulk_server(knn(DIMENSION), made=7) as server, sinking(server) as sink:
        await written(sink, batch(0, 1), state={"documents": 0, "uuid": "docs-1"})
        assert await sink.flush() == {"documents": 1, "uuid": "docs-7"}


async def test_a_checkpoint_of_before_uuids_were_stored_can_be_resumed() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        await written(sink, batch(3, 1), state={"documents": 3})
        assert await sink.flush() == {"documents": 4, "uuid": "docs-1"}


async def test_the_checkpoint_of_an_index_that_the_sink_creates_has_its_uuid() -> None:
    async with bulk_server() as server, sinking(server, create=True) as sink:
        await sink.open(None)
        assert await sink.flush() == {"documents": 0, "uuid": None}
        await sink.write(batch(0, 1))
        assert await sink.flush() == {"documents": 1, "uuid": "docs-2"}


async def test_replicas_go_off_only_once_a_checkpoint_knows_them() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server, replicas_off=True) as sink:
        await sink.open(None)
        await sink.write(batch(0, 1))
        assert server.settings["number_of_replicas"] == "1"
        await sink.flush()
        await sink.write(batch(1, 1))
        assert server.settings["number_of_replicas"] == "0"


async def test_replicas_of_a_new_index_go_off_once_a_checkpoint_knows_them() -> None:
    async with bulk_server() as server, sinking(server, create=True, replicas_off=True) as sink:
        await sink.open(None)
        assert "replicas" not in await sink.flush()  # there is no index yet
        await sink.write(batch(0, 1))
        assert server.settings["number_of_replicas"] == "1"
        told = (await sink.flush())["replicas"]
        assert (told["index"], told["uuid"], told["number_of_replicas"]) == ("docs", "docs-2", "1")
        await sink.write(batch(1, 1))
        await sink.write(batch(2, 1))
        assert server.settings["number_of_replicas"] == "0"
        assert server.heard.count("PUT /docs/_settings") == 1
        await sink.close(complete=False)
        assert server.settings["number_of_replicas"] == "1"


async def test_of_several_indices_behind_an_alias_the_one_that_is_written_to_counts() -> None:
    several: dict[str, Any] = {"alias": "docs-8", "others": ("docs-7",), "writes_to": "docs-7"}
    async with bulk_server(knn(DIMENSION), **several) as server, sinking(server) as sink:
        await written(sink, batch(0, 1))
        assert await sink.flush() == {"documents": 1, "uuid": "docs-7-1"}
        server.writes_to = "docs-8"
        with pytest.raises(SinkError, match="deleted and created again"):
            await sink.flush()
    several["writes_to"] = ""
    async with bulk_server(knn(DIMENSION), **several) as server, sinking(server) as sink:
        with pytest.raises(SinkError, match="alias docs stands for docs-8, docs-7, and none of them is its write"):
            await sink.open(None)


async def test_who_may_not_ask_for_the_uuid_can_still_write() -> None:
    async with bulk_server(knn(DIMENSION), forbids="_settings") as server, sinking(server) as sink:
        await written(sink, batch(0, 1))
        assert await sink.flush() == {"documents": 1, "uuid": None}
        assert server.heard.count("GET /docs/_settings") == 1


async def test_who_is_leaving_asks_nothing_more_of_a_cluster_that_may_be_away() -> None:
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        await sink.open(None)
        await sink.write(batch(0, 1))
        heard = list(server.heard)
        sink.leave()
        assert await sink.flush() == {"documents": 1, "uuid": "docs-1"}
        assert server.heard == heard


WRONG: list[tuple[dict[str, Any], str]] = [
    (knn(768), r"'embedding' is of dimension 768, and these vectors of 4"),
    ({"mappings": {"properties": {"embedding": {"type": "float"}}}}, r"'embedding' is float, .* type knn_vector"),
    ({"mappings": {}}, r"'embedding' is not in its mapping, .* type knn_vector"),
    (knn(4, "other"), r"'embedding' is not in its mapping"),
]


@pytest.mark.parametrize(("index", "why"), WRONG)
@pytest.mark.parametrize("known", [True, False])
async def test_a_wrong_mapping_is_refused_before_anything_is_written(
    index: dict[str, Any], why: str, known: bool
) -> None:
    async with bulk_server(index) as server, sinking(server, dimension=DIMENSION if known else None) as sink:
        with pytest.raises(SinkError, match=f"index docs: the field {why}"):
            await sink.open(None)
            assert not known, "with a dimension, opening finds it out"
            await sink.write(batch(0, 1))
        assert "POST /docs/_bulk" not in server.heard


async def test_an_alias_and_a_field_inside_an_object_are_looked_into() -> None:
    index = {"mappings": {"properties": {"doc": knn(DIMENSION, "vector")["mappings"]}}}
    async with bulk_server(index, alias="docs-7") as server, sinking(server, field="doc.vector") as sink:
        assert await written(sink, batch(0, 1)) == []
    index["mappings"]["properties"]["doc"]["properties"]["vector"]["dimension"] = 9
    async with bulk_server(index, alias="docs-7") as server, sinking(server, field="doc.vector", dimension=4) as sink:
        with pytest.raises(SinkError, match=r"index docs-7: the field 'doc.vector' is of dimension 9"):
            await sink.open(None)


async def test_sparse_vectors_go_into_rank_features_and_nowhere_else() -> None:
    async with bulk_server() as server, sinking(server, create=True, sparse=True) as sink:
        assert await written(sink, sparse(0, 2)) == []
        assert server.index == {"mappings": {"properties": {"embedding": {"type": "rank_features"}}}, "settings": {}}
        assert server.documents["d1"]["embedding"] == {"t1": 1.5, "all": 1.0}
    async with bulk_server(knn(4)) as server, sinking(server, sparse=True) as sink:
        with pytest.raises(SinkError, match="is knn_vector, and these vectors need a field of type rank_features"):
            await sink.open(None)
    async with bulk_server(knn(4)) as server, sinking(server) as sink:
        await sink.open(None)
        with pytest.raises(SinkError, match="the sink has sparse=False, but the vectors are sparse: set sparse=True"):
            await sink.write(sparse(0, 1))


async def test_a_name_is_quoted_and_a_refused_refresh_is_no_failure() -> None:
    async with bulk_server(knn(4)) as server, sinking(server, index="a/b") as sink:
        await sink.open(None)
        server.index = None
        await sink.close(complete=True)
        assert server.heard == ["GET /a/b/_mapping", "GET /a/b/_settings", "POST /a/b/_refresh"]


# ---- requests --------------------------------------------------------------------------------------------------------


async def test_requests_are_sized_by_bytes_and_several_are_under_way_but_no_more_than_asked() -> None:
    async with bulk_server(knn(DIMENSION), together=3) as server:
        async with sinking(server, bulk_bytes=1000, concurrency=3) as sink:
            assert await written(sink, batch(0, 60)) == []
        assert len(server.documents) == 60
        assert max(server.sizes) <= 1000
        assert min(sorted(server.sizes)[1:]) > 800
        assert server.most_at_once == 3


async def test_several_writes_share_the_requests() -> None:
    async with bulk_server(knn(DIMENSION), together=2) as server, sinking(server, concurrency=2) as sink:
        assert sink.concurrent
        await sink.open(None)
        async with anyio.create_task_group() as group:
            for first in range(0, 60, 10):
                group.start_soon(sink.write, batch(first, 10))
        assert server.most_at_once == 2
        assert (await sink.flush())["documents"] == 60


async def writes_that_waited(sink: IndexSink, *batches: Documents) -> list[Any]:
    """Return the results of writes that all waited, one after the other, for a free request."""
    gave: list[Any] = [None] * len(batches)

    async def write(i: int) -> None:
        try:
            gave[i] = [(one.index, one.why) for one in await sink.write(batches[i])]
        except ApiError as error:
            gave[i] = error

    await sink.open(None)
    async with anyio.create_task_group() as group, AsyncExitStack() as places:
        for _ in range(sink._delivery.slots.value):
            await places.enter_async_context(sink._delivery.slots)
        for i in range(len(batches)):
            group.start_soon(write, i)
            await until_waiting(sink, i + 1)
    return gave


async def until_waiting(sink: IndexSink, count: int) -> None:
    while len(sink._delivery.waiting) < count:
        await anyio.lowlevel.checkpoint()


async def test_what_waits_travels_together_as_far_as_a_request_may_hold_it() -> None:
    batches = [batch(first, 5) for first in range(10, 70, 5)]
    async with bulk_server(knn(DIMENSION)) as server:
        async with sinking(server, concurrency=1) as sink:
            assert await writes_that_waited(sink, *batches) == [[]] * 12
        (size,) = server.sizes
        async with sinking(server, concurrency=1, bulk_bytes=size // 3 + 20) as sink:
            assert await writes_that_waited(sink, *batches) == [[]] * 12
        assert [round(12 * one / size) for one in server.sizes] == [12, 4, 4, 4]
        assert Counter(server.writes) == {f"d{i}": 2 for i in range(10, 70)}


async def test_a_request_takes_its_share_of_what_waits_and_leaves_the_others_theirs() -> None:
    batches = [batch(first, 5) for first in range(10, 70, 5)]
    async with bulk_server(knn(DIMENSION)) as server, sinking(server, concurrency=3) as sink:
        assert await writes_that_waited(sink, *batches) == [[]] * 12
        smallest = min(server.sizes)
        taken = [round(size / smallest) for size in server.sizes]
        assert taken[:2] == [4, 3]
        for number, batches_taken in enumerate(taken):
            assert batches_taken <= -(-(12 - sum(taken[:number])) // 3), taken
        assert Counter(server.writes) == {f"d{i}": 1 for i in range(10, 70)}


async def test_what_waits_is_not_kept_by_a_request_that_pauses_before_it_is_sent_again() -> None:
    refusing = iter([True])

    def on_bulk(body: bytes) -> Any:
        return answer(error("circuit_breaking_exception", "large", 429), 429) if next(refusing, False) else None

    pause = Backoff(first=3600, cap=3600)
    async with bulk_server(knn(DIMENSION), on_bulk=on_bulk) as server, sinking(server, backoff=pause) as sink:
        await sink.open(None)
        async with anyio.create_task_group() as group:
            group.start_soon(sink.write, batch(0, 2))
            while not sink.waiting:
                await anyio.lowlevel.checkpoint()
            assert await sink.write(batch(5, 2)) == []
            assert server.writes == ["d5", "d6"]
            group.cancel_scope.cancel()


async def test_items_are_those_of_their_ids_whatever_their_order() -> None:
    def on_bulk(body: bytes) -> Any:
        keys = [orjson.loads(line)["index"]["_id"] for line in body.splitlines()[::2]]
        bad = {"_index": "docs", "_id": keys[0], **failed("illegal_argument_exception", "a number as text", 400)}
        items = [{"_index": "docs", "_id": key, "status": 201} for key in keys[1:]]
        return answer({"took": 1, "errors": True, "items": [{"index": item} for item in [*items, bad]]})

    async with bulk_server(knn(DIMENSION), on_bulk=on_bulk) as server, sinking(server) as sink:
        await sink.open(None)
        (refused,) = await sink.write(batch(0, 4))
        assert (refused.index, refused.why) == (0, "illegal_argument_exception: a number as text")


async def test_an_item_of_a_document_that_was_not_sent_is_no_answer() -> None:
    def on_bulk(_: bytes) -> Any:
        items = [{"index": {"_id": "other", **failed("illegal_argument_exception", "bad", 400)}}]
        return answer({"took": 1, "errors": True, "items": items})

    async with bulk_server(knn(DIMENSION), on_bulk=on_bulk) as server, sinking(server) as sink:
        await sink.open(None)
        with pytest.raises(DecodeError, match="'other'"):
            await sink.write(batch(0, 1))


async def test_writes_that_travel_together_get_their_own_refusals() -> None:
    def on_item(key: str, _: Any) -> Any:
        return failed("mapper_parsing_exception", f"not {key}", 400) if key in ("d1", "d6", "d7") else None

    async with bulk_server(knn(DIMENSION), on_item=on_item) as server, sinking(server, concurrency=1) as sink:
        why = "mapper_parsing_exception: not d"
        assert await writes_that_waited(sink, batch(0, 3), batch(3, 2), batch(5, 3)) == [
            [(1, f"{why}1")],
            [],
            [(1, f"{why}6"), (2, f"{why}7")],
        ]
        assert len(server.sizes) == 1
        assert (await sink.flush())["documents"] == 5


async def test_writes_that_travel_together_fail_together() -> None:
    def fails(_: bytes) -> web.Response:
        return answer(error("security_exception", "no permissions", 403), 403)

    async with bulk_server(knn(DIMENSION), on_bulk=fails) as server, sinking(server, concurrency=1) as sink:
        gave = await writes_that_waited(sink, batch(0, 3), batch(3, 2))
        assert [type(one) for one in gave] == [Forbidden, Forbidden]
        assert len(server.sizes) == 1


async def cancellable(sink: IndexSink, scopes: list[anyio.CancelScope]) -> None:
    with anyio.CancelScope() as scope:
        scopes.append(scope)
        await sink.write(batch(0, 3))


async def test_a_write_that_is_cancelled_under_way_waits_for_the_others_that_travel_with_it() -> None:
    scopes: list[anyio.CancelScope] = []

    def cancels(_: bytes) -> None:
        scopes[0].cancel()

    async with bulk_server(knn(DIMENSION), on_bulk=cancels) as server, sinking(server, concurrency=1) as sink:
        await sink.open(None)
        async with anyio.create_task_group() as group, sink._delivery.slots:
            group.start_soon(cancellable, sink, scopes)
            await until_waiting(sink, 1)
            group.start_soon(sink.write, batch(3, 2))
            await until_waiting(sink, 2)
        assert server.writes == [f"d{i}" for i in range(5)]


async def test_a_write_that_is_cancelled_while_it_waits_keeps_no_other_one_waiting() -> None:
    scopes: list[anyio.CancelScope] = []
    async with bulk_server(knn(DIMENSION)) as server, sinking(server, concurrency=1, bulk_bytes=300) as sink:
        await sink.open(None)
        async with anyio.create_task_group() as group, sink._delivery.slots:
            group.start_soon(cancellable, sink, scopes)
            await until_waiting(sink, 1)
            scopes[0].cancel()
            group.start_soon(sink.write, batch(3, 2))
            while not sink._delivery.waiting or b'"d3"' not in sink._delivery.waiting[0].actions.body:
                await anyio.lowlevel.checkpoint()
        assert {"d3", "d4"} <= set(server.documents)


BUSY = [
    failed("rejected_execution_exception", "rejected execution of coordinating operation", 429),
    failed("unavailable_shards_exception", "[docs][0] primary shard is not active Timeout: [1m]", 503),
    failed("es_rejected_execution_exception", "rejected", 500),
    failed("circuit_breaking_exception", "[parent] Data too large, data for [<transport_request>]", 429),
    failed("cluster_block_exception", "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage]", 429),
    failed("version_conflict_engine_exception", "[d1]: version conflict, required seqNo [3]", 409),
    failed("illegal_index_shard_state_exception", "CurrentState[RECOVERING] operations only allowed when", 500),
    failed("no_shard_available_action_exception", "No shard available", 404),
    failed("shard_not_found_exception", "no such shard", 404),
    failed("node_closed_exception", "node closed", 500),
    failed("status_exception", "Model not ready yet. Please deploy the model first.", 400),
    failed("security_exception", "Unexpected exception indices:admin/mapping/auto_put", 500),
    failed("null_pointer_exception", "it may be the server's fault", 500),
]


@pytest.mark.parametrize("busy", BUSY)
async def test_items_that_the_server_has_no_room_for_are_sent_again_and_the_others_are_not(busy: Any) -> None:
    tries: Counter[str] = Counter()

    def on_item(key: str, _: Any) -> Any:
        tries[key] += 1
        return busy if key in ("d1", "d3") and tries[key] <= 2 else None

    async with bulk_server(knn(DIMENSION), on_item=on_item) as server, sinking(server) as sink:
        assert await written(sink, batch(0, 5)) == []
        assert tries == {"d0": 1, "d1": 3, "d2": 1, "d3": 3, "d4": 1}
        assert sorted(server.writes) == [f"d{i}" for i in range(5)]


async def test_a_document_whose_error_does_not_tell_whose_fault_it_is_is_refused_when_it_has_failed_for_a_while() -> (
    None
):
    tries: Counter[str] = Counter()

    def on_item(key: str, _: Any) -> Any:
        tries[key] += 1
        return failed("null_pointer_exception", "oh", 500) if key == "d2" else None

    async with bulk_server(knn(DIMENSION), on_item=on_item) as server, sinking(server) as sink:
        (refused,) = await written(sink, batch(0, 4))
        assert (refused.index, refused.why) == (2, "null_pointer_exception: oh")
        assert tries == {"d0": 1, "d1": 1, "d2": 1 + UNCLEAR, "d3": 1}


async def test_a_refused_document_comes_back_with_the_servers_reason() -> None:
    why = failed("mapper_parsing_exception", "failed to parse field [n] of type [long]", 400, 'For input string: "x"')

    def on_item(key: str, _: Any) -> Any:
        return why if key == "d2" else None

    async with bulk_server(knn(DIMENSION), on_item=on_item) as server, sinking(server, bulk_bytes=200) as sink:
        (refused,) = await written(sink, batch(0, 4))
        assert refused.index == 2
        assert refused.why == (
            "mapper_parsing_exception: failed to parse field [n] of type [long]; "
            'illegal_argument_exception: For input string: "x"'
        )
        assert sorted(server.documents) == ["d0", "d1", "d3"]
        assert (await sink.flush())["documents"] == 3


HOPELESS = [
    failed("index_not_found_exception", "no such index [docs]", 404),
    failed("cluster_block_exception", "index [docs] blocked by: [FORBIDDEN/8/index write (api)];", 403),
    failed("security_exception", "no permissions for [indices:data/write/bulk]", 403),
    {"status": 429, "error": {"type": "circuit_breaking_exception", "reason": "large", "durability": "PERMANENT"}},
]


@pytest.mark.parametrize("why", HOPELESS)
async def test_an_index_that_takes_nothing_ends_the_job_and_refuses_no_document(why: Any) -> None:
    async with bulk_server(knn(DIMENSION), on_item=lambda *_: why) as server, sinking(server) as sink:
        await sink.open(None)
        with pytest.raises(SinkError, match=f"docs accepts no documents: {why['error']['type']}"):
            await sink.write(batch(0, 2))


@pytest.mark.parametrize("there", [True, False])
async def test_whatever_is_asked_of_a_cluster_that_restarts_waits_for_it(there: bool) -> None:
    async with bulk_server(knn(DIMENSION) if there else None) as server:
        async with Session(server.url, backoff=NOW, retries=1) as ml:
            sink = IndexSink(ml, "docs", create=True, backoff=NOW)
            for step in (
                lambda: sink.target(),
                lambda: sink.open(None),
                lambda: sink.write(batch(0, 3)),
                lambda: sink.flush(),
                lambda: sink.close(complete=True),
            ):
                server.recovering = 5
                await step()
                assert not server.recovering
        assert (len(server.documents), server.refreshed) == (3, True)
        assert server.made == (1 if there else 2)


STARTS = [
    error("illegal_index_shard_state_exception", "CurrentState[RECOVERING] operations only allowed", 500),
    error("no_shard_available_action_exception", "No shard available", 404),
    error("circuit_breaking_exception", "[parent] Data too large", 400),
]


@pytest.mark.parametrize("body", STARTS, ids=lambda body: body["error"]["type"])
async def test_a_request_that_a_cluster_cannot_take_just_now_is_sent_again_whatever_the_status(body: Any) -> None:
    answers = iter([body] * 3)

    def on_bulk(_: bytes) -> Any:
        return answer(body, body["status"]) if next(answers, None) else None

    async with bulk_server(knn(DIMENSION), on_bulk=on_bulk) as server, sinking(server) as sink:
        assert await written(sink, batch(0, 4)) == []
        assert server.heard.count("POST /docs/_bulk") == 4
        assert len(server.documents) == 4


@pytest.mark.parametrize("status", [400, 413])
async def test_a_request_that_is_refused_whole_is_halved_until_the_document_stands_alone(status: int) -> None:
    def on_bulk(body: bytes) -> Any:
        return web.Response(status=status, text="Request Entity Too Large") if b'"d5"' in body else None

    async with bulk_server(knn(DIMENSION), on_bulk=on_bulk) as server, sinking(server) as sink:
        (refused,) = await written(sink, batch(0, 9))
        assert (refused.index, "Too Large" in refused.why) == (5, True)
        assert sorted(server.writes) == [f"d{i}" for i in range(9) if i != 5]


async def test_what_can_be_told_beforehand_is_refused_without_asking() -> None:
    rows: list[Any] = [
        {"id": "a"},
        {"id": ""},
        {"id": "é" * 257},
        {"id": "x" * 512},
        {"id": "n"},
        {"id": "r", "raw": b""},
    ]
    given = vectors(0, 6)
    given[4] = np.inf
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        refused = await written(sink, documents(rows, given))
        assert {one.index: one.why.partition(":")[0] for one in refused} == {
            1: "its id has 0 bytes, and an index takes 1 to 512",
            2: "its id has 514 bytes, and an index takes 1 to 512",
            4: "its vector holds NaN or infinity",
            5: "its field 'raw' is of type bytes, which JSON cannot hold",
        }
        assert list(server.documents) == ["a", "x" * 512]


async def test_a_field_whose_name_no_index_takes_is_refused_before_it_is_embedded() -> None:
    names = ["text", "", ".", ".a", "a..b", "_index", "a.", "a.b", " ", "_id", "embedding", "_source"]
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        refused = sink.screen([f"d{n}" for n in range(12)], [{"text": "x", name: 1} for name in names])
        empty = "has an empty name, or one with an empty part, which an index refuses: rename it"
        metadata = "has the name of a metadata field of OpenSearch: rename it"
        assert {one.index: one.why for one in refused} == {
            **{n: f"its field {names[n]!r} {empty}" for n in (1, 2, 3, 4)},
            **{n: f"its field {names[n]!r} {metadata}" for n in (5, 11)},
        }


async def test_a_dropped_connection_is_tried_again_and_no_document_is_there_twice() -> None:
    async with bulk_server(knn(DIMENSION), drops=2) as server, sinking(server) as sink:
        assert await written(sink, batch(0, 2)) == []
        assert server.heard.count("POST /docs/_bulk") == 3
        assert sorted(server.documents) == ["d0", "d1"]


async def test_a_server_that_fails_ends_the_job_with_its_own_error() -> None:
    broken = answer(error("null_pointer_exception", "oh", 500), 500)
    async with bulk_server(knn(DIMENSION), on_bulk=lambda _: broken) as server, sinking(server) as sink:
        await sink.open(None)
        with pytest.raises(ServerError, match="oh"):
            await sink.write(batch(0, 1))


@pytest.mark.parametrize("body", [{"took": 1}, {"errors": True, "items": []}, []])
async def test_an_answer_that_is_none_is_an_error_not_a_success(body: Any) -> None:
    async with bulk_server(knn(DIMENSION), on_bulk=lambda _: answer(body)) as server, sinking(server) as sink:
        await sink.open(None)
        with pytest.raises(DecodeError):
            await sink.write(batch(0, 2))


async def test_a_batch_without_documents_asks_nothing_of_the_server() -> None:
    empty = Documents([], [], [], np.empty((0, DIMENSION), "f4"))
    async with bulk_server(knn(DIMENSION)) as server, sinking(server) as sink:
        await sink.open(None)
        assert await sink.write(empty) == []
        assert "POST /docs/_bulk" not in server.heard
