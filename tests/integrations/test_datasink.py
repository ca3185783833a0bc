"""OpenSearchDatasink on blocks, without a cluster of Ray."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from anyio.from_thread import start_blocking_portal

from aiomlcommons import InvalidRequest
from aiomlcommons.integrations import ray as integration
from aiomlcommons.integrations.ray import RowsFailed
from tests.support.bulk_server import BulkServer, bulk_server, failed, knn

if os.environ.get("CI") != "true":
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'aiomlcommons[ray]'")

# Ray itself warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")
VECTORS = np.arange(12, dtype="f4").reshape(3, 4) / 3
IDS = ["a", "b", "c"]


@pytest.fixture
def server() -> Iterator[BulkServer]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(bulk_server(knn(4))) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    gc.collect()
    assert [one for one in threading.enumerate() if one.name == "aiomlcommons"] == []


def table(ids: Any = IDS, **more: Any) -> Any:
    return pa.table({"id": ids, "embedding": pa.array(VECTORS[: len(ids)].tolist(), pa.list_(pa.float32(), 4)), **more})


def sink(*arguments: Any, **options: Any) -> Any:
    return integration.OpenSearchDatasink(*arguments, **options)


def completed(sink: Any, *written: Any) -> Any:
    from ray.data.datasource import WriteResult

    sink.on_write_complete(WriteResult(num_rows=0, size_bytes=0, write_returns=list(written)))
    return sink


def test_blocks_are_written_by_a_copy_and_the_index_is_refreshed_at_the_end(server: BulkServer) -> None:
    made = sink("docs", server.url)
    copy = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes
    frame = pd.DataFrame({"id": ["d"], "embedding": [[1.0, 2.0, 3.0, 4.0]]})
    first, second = copy.write([table(), table()], None), copy.write([frame], None)
    assert not server.refreshed
    completed(made, first, second)
    assert (made.written, made.refused, server.refreshed) == (7, [], True)
    assert list(server.documents) == [*IDS, "d"]
    assert np.array_equal(np.array(server.documents["b"]["embedding"], "f4"), VECTORS[1])


def test_large_blocks_are_written_piece_by_piece(server: BulkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.integrations._ray_datasink.ROWS", 2)
    assert sink("docs", server.url).write([table()], None).rows == 3
    assert len(server.sizes) == 2


def test_what_is_not_written_is_an_error_that_names_it(server: BulkServer) -> None:
    server.on_item = lambda key, _: failed("mapper_parsing_exception", "no", 400) if key == "b" else None
    with pytest.raises(RowsFailed, match=r"row 1 \(id 'b'\) of the batch failed: .*no"):
        sink("docs", server.url).write([table()], None)


def test_what_is_not_written_is_reported_with_its_reasons(server: BulkServer) -> None:
    server.on_item = lambda key, _: failed("mapper_parsing_exception", "no", 400) if key == "b" else None
    made = sink("docs", server.url, on_error="report", error="why")
    completed(made, made.write([table(["a", "b", ""]), table(["d", "e"], why=[None, "no text"])], None))
    assert made.written == 2
    assert [(one.id, one.why.partition(" (")[0]) for one in made.refused] == [
        ("b", "mapper_parsing_exception: no"),
        ("", "its id must be text or a whole number, not ''"),
        ("e", "no text"),
    ]
    assert server.documents["d"].keys() == {"id", "embedding"}


def test_nothing_that_was_written_is_no_request(server: BulkServer) -> None:
    made = sink("docs", server.url)
    completed(made, made.write([table([])], None))
    assert (made.written, server.heard) == (0, [])


def test_wrong_options_are_refused_at_once_and_secrets_are_not_shown() -> None:
    with pytest.raises(InvalidRequest, match="on_error must be 'raise' or 'report', not 'column'"):
        sink("docs", on_error="column")
    with pytest.raises(InvalidRequest, match="replicas_off is for jobs"):
        sink("docs", replicas_off=True)
    made = sink("docs", "http://localhost", session={"auth": ("me", "s3cret")})
    assert repr(made) == "OpenSearchDatasink('docs', 'http://localhost', id='id', field='embedding')"
    assert "s3cret" not in repr(vars(made))
    assert made.get_name() == "OpenSearch"


def test_without_ray_the_other_names_are_there_and_this_one_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "aiomlcommons.integrations._ray_datasink", raising=False)
    monkeypatch.delattr(integration, "OpenSearchDatasink", raising=False)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ImportError, match=r'needs Ray Data .*: pip install "aiomlcommons\[ray\]"'):
        _ = integration.OpenSearchDatasink
    assert "OpenSearchDatasink" in dir(integration)
