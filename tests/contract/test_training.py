"""Contract tests: the classic algorithms."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aiomlcommons import BadRequest, Session
from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Prediction, Row
from tests.support.contract.undoing import afterwards

pytestmark = pytest.mark.asyncio
POINTS = [(0.0, 0.0), (0.0, 0.1), (9.0, 9.0), (9.0, 9.1)] * 5


def frame(rows: Sequence[Sequence[float]]) -> DataFrame:
    metas = [ColumnMeta(name=name, column_type="DOUBLE") for name in "ab"]
    return DataFrame(metas, [Row([Cell(column_type="DOUBLE", value=value) for value in row]) for row in rows])


def clusters(prediction: Prediction) -> list[int]:
    found = prediction.prediction_result
    assert found is not None
    assert found.column_metas == [ColumnMeta(name="ClusterID", column_type="INTEGER")]
    return [row.values[0].value for row in found.rows]


async def test_a_model_is_trained_kept_and_asked(ml: Session) -> None:
    trained = await ml.train("kmeans", parameters={"centroids": 2, "iterations": 10}, input_data=frame(POINTS))
    model_id = trained.model_id or ""
    async with afterwards(lambda: ml.models.delete(model_id)):
        assert trained.status == "COMPLETED"
        answer = await ml.predict("kmeans", model_id, input_data=frame(POINTS))
        found = clusters(answer)
        # The initial centroids are random; but the same point must be in the same cluster.
        assert found == found[:4] * 5
        assert {*found} <= {0, 1}


async def test_a_training_is_followed(ml: Session) -> None:
    started = await ml.train("kmeans", async_=True, parameters={"centroids": 2}, input_data=frame(POINTS))
    done_id = started.task_id or ""
    done = await ml.task(done_id)
    async with afterwards(lambda: ml.tasks.delete(done_id), lambda: ml.models.delete(done.model_id or "")):
        assert (done.task_type, done.function_name, done.input_type) == ("TRAINING", "KMEANS", "DATA_FRAME")
        assert done.model_id


async def test_nothing_is_kept_where_it_is_asked_at_once(ml: Session) -> None:
    answer = await ml.train_and_predict("kmeans", parameters={"centroids": 2}, input_data=frame(POINTS))
    assert answer.status == "COMPLETED"
    assert len(clusters(answer)) == len(POINTS)


async def test_an_algorithm_that_nobody_knows_is_refused(ml: Session) -> None:
    with pytest.raises(BadRequest, match="Wrong function name"):
        await ml.train("no_such_algorithm", input_data=frame(POINTS))


@pytest.mark.since("2.12", "the answer of an algorithm without a wrapping")
async def test_the_sample_calculator_calculates(ml: Session) -> None:
    body = {"operation": "sum", "input_data": [1.0, 2.0, 3.5]}
    assert (await ml.execute("local_sample_calculator", body)).result == 6.5
