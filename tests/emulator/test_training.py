"""Training, beyond the recordings: models are really computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aiomlcommons import ApiError, BadRequest, NotFound, ServerError, Session, TaskFailed
from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Prediction, Row
from tests.support.emulated_models import NOW

pytestmark = pytest.mark.asyncio
CORNERS = [(0, 0), (0.5, 0), (0, 0.5), (9, 9), (9.5, 9), (9, 0), (9.5, 0)]


def frame(rows: Sequence[Sequence[Any]], names: str = "ab", kind: str = "DOUBLE") -> DataFrame:
    metas = [ColumnMeta(name=name, column_type=kind) for name in names]
    return DataFrame(metas, [Row([Cell(column_type=kind, value=value) for value in row]) for row in rows])


def column(prediction: Prediction) -> list[Any]:
    found = prediction.prediction_result
    assert found is not None
    assert len(found.column_metas) == 1
    return [row.values[0].value for row in found.rows]


@pytest.mark.parametrize("distance", ["EUCLIDEAN", "L1"])
async def test_points_that_are_near_each_other_are_one_cluster(ml: Session, distance: str) -> None:
    options = {"centroids": 3, "distance_type": distance}
    trained = await ml.train("kmeans", parameters=options, input_data=frame(CORNERS))
    assert trained.model_id
    found = column(await ml.predict("kmeans", trained.model_id, input_data=frame(CORNERS)))
    assert len({*found[:3]}) == len({*found[3:5]}) == len({*found[5:]}) == 1
    assert len({*found}) == 3
    # Rows that were not in the training data, and columns in another order.
    assert column(await ml.predict("kmeans", trained.model_id, input_data=frame([(0.2, 8)], "ba"))) == found[5:6]
    assert found == column(await ml.train_and_predict("kmeans", parameters=options, input_data=frame(CORNERS)))


async def test_the_cosine_looks_at_directions(ml: Session) -> None:
    rows = frame([(1, 0), (100, 1), (0, 1), (1, 100)])
    found = column(await ml.train_and_predict("kmeans", parameters={"distance_type": "COSINE"}, input_data=rows))
    assert found[0] == found[1] != found[2] == found[3]


async def test_a_line_is_found(ml: Session) -> None:
    rows = frame([(x, y, 2 * x - y + 3) for x, y in ((0, 0), (1, 0), (0, 1), (2, 5))], "xyz")
    trained = await ml.train("linear_regression", parameters={"target": "z"}, input_data=rows)
    answer = await ml.predict("linear_regression", trained.model_id or "", input_data=frame([(10, 4)], "xy"))
    assert column(answer) == [pytest.approx(19)]
    assert answer.prediction_result is not None
    assert answer.prediction_result.column_metas[0].name == "z"


async def test_a_trained_model_is_a_model(ml: Session) -> None:
    trained = await ml.train("kmeans", input_data=frame(CORNERS))
    model_id = trained.model_id or ""
    model = await ml.models.get(model_id)
    assert (model.name, model.algorithm, model.model_state) == ("KMEANS", "KMEANS", "TRAINED")
    assert column(await ml.models.predict(model_id, input_data=frame(CORNERS[:1])))
    await ml.models.delete(model_id)
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.predict("kmeans", model_id, input_data=frame(CORNERS))


async def test_training_can_be_followed_and_can_fail(ml: Session) -> None:
    started = await ml.train("kmeans", async_=True, parameters={"centroids": 0}, input_data=frame(CORNERS))
    assert (started.status, started.model_id) == ("CREATED", None)
    with pytest.raises(TaskFailed, match="K should be positive"):
        await ml.task(started.task_id or "", backoff=NOW)
    started = await ml.train("kmeans", async_=True, input_data=frame(CORNERS))
    done = await ml.task(started.task_id or "", backoff=NOW)
    assert column(await ml.predict("kmeans", done.model_id or "", input_data=frame(CORNERS)))


@pytest.mark.parametrize(
    ("algorithm", "options", "words"),
    [
        ("kmeans", {"parameters": {"iterations": 0}}, "Iterations should be positive"),
        ("kmeans", {"parameters": {"distance_type": "nope"}}, "there is no distance_type nope"),
        ("kmeans", {"input_data": frame([])}, "nothing to train on"),
        ("kmeans", {"input_data": frame([(1,)])}, "fewer values than there are columns"),
        ("linear_regression", {}, "Empty target"),
        ("linear_regression", {"parameters": {"target": "c"}}, "No matched target"),
    ],
)
async def test_what_cannot_be_trained_is_refused(
    ml: Session, algorithm: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        await ml.train(algorithm, **{"input_data": frame(CORNERS), **options})


async def test_words_are_not_computed_with(ml: Session) -> None:
    with pytest.raises(ServerError, match="the value isn't Double type"):
        await ml.train("kmeans", input_data=frame([("x",)], "a", "STRING"))


async def test_a_column_that_is_missing_is_named(ml: Session) -> None:
    trained = await ml.train("kmeans", input_data=frame(CORNERS))
    with pytest.raises(BadRequest, match="lacks columns: b"):
        await ml.predict("kmeans", trained.model_id or "", input_data=frame([(1,)], "a"))


async def test_the_emulator_has_no_indices_to_train_on(ml: Session) -> None:
    with pytest.raises(NotFound, match=r"no such index \[i\]"):
        await ml.train("kmeans", input_index=["i"], input_query={"query": {"match_all": {}}})


async def test_other_algorithms_are_refused_in_clear_words(ml: Session) -> None:
    for call in (
        ml.train("logistic_regression", input_data=frame(CORNERS)),
        ml.train_and_predict("batch_rcf", input_data=frame(CORNERS)),
        ml.execute("anomaly_localization", {}),
    ):
        with pytest.raises(ApiError, match="the emulator does not") as caught:
            await call
        assert (caught.value.status, caught.value.type) == (501, "not_emulated")


@pytest.mark.parametrize(("operation", "result"), [("sum", 6), ("max", 3), ("min", 1)])
async def test_the_sample_calculator_calculates(ml: Session, operation: str, result: float) -> None:
    body = {"operation": operation, "input_data": [1, 2, 3]}
    assert (await ml.execute("local_sample_calculator", body)).result == result


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"operation": "mean", "input_data": [1]}, "can't support this operation"),
        ({"input_data": [1]}, "wrong operation"),
        ({"operation": "max", "input_data": []}, "empty input data"),
    ],
)
async def test_the_sample_calculator_refuses(ml: Session, body: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await ml.execute("local_sample_calculator", body)
