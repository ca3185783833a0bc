"""The classic (built-in) algorithms: train, train and predict, execute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.predict import INPUT_SINCE_2_4, MLInput, Prediction
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, as_body, in_query, record


@record
class Training(Record):
    """The id of the trained model, or with ``async_`` of the task that trains it."""

    status: str
    model_id: str | None = None
    task_id: str | None = None


@record
class Entity(Record):
    """The contribution of a group of values to an anomaly."""

    key: list[str]
    contribution_value: float
    base_value: float
    new_value: float


@record
class Bucket(Record):
    """A time interval, in epoch milliseconds, and the entities that contribute to its anomaly."""

    start_time: int
    end_time: int
    overall_aggregate_value: float
    entities: list[Entity] | None = None


@record
class Buckets(Record):
    """The time intervals of one aggregation."""

    buckets: list[Bucket]


@record
class Localization(Record):
    """The result of one aggregation, by name."""

    name: str
    result: Buckets


@record
class Execution(Record):
    """The result of an algorithm: a number, localized anomalies, or correlated metrics."""

    result: float | None = None
    results: list[Localization] | None = None
    inference_results: list[Mapping[str, Any]] | None = None


@endpoint("POST /_plugins/_ml/_train/{algorithm}", since="1.3", needs_body=True, newer=INPUT_SINCE_2_4)
class Train(MLInput, Request[Training]):
    """Train a model of a classic algorithm on ``input_data``, or on ``input_index`` with ``input_query``.

    With ``async_=True`` the response is the id of a task, returned at once.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/train/
    """

    algorithm: str
    _: KW_ONLY
    async_: bool | None = in_query(wire="async", default=None)


@endpoint("POST /_plugins/_ml/_train_predict/{algorithm}", since="1.3", needs_body=True, newer=INPUT_SINCE_2_4)
class TrainAndPredict(MLInput, Request[Prediction]):
    """Train a model and predict on the same data in one call. The model is not kept.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/train-and-predict/
    """

    algorithm: str
    _: KW_ONLY
    async_: bool | None = in_query(wire="async", default=None)


@endpoint("POST /_plugins/_ml/_execute/{algorithm}", since="1.3")
class ExecuteAlgorithm(Request[Execution]):
    """Run an algorithm that needs no model: ``local_sample_calculator``, ``anomaly_localization``,
    ``metrics_correlation``. ``body`` is the algorithm's own input.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/execute-algorithm/
    """

    algorithm: str
    body: Mapping[str, Any] = as_body()
    _: KW_ONLY
    async_: bool | None = in_query(wire="async", default=None)
