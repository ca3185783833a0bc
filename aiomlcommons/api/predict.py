"""Predictions: input and output of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.api.tensors import MapTensor, ModelTensor, ModelTensors, TextTensor
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, mixin, record
from aiomlcommons.stream import Data, StreamRequest
from aiomlcommons.wire import convert


@record
class ColumnMeta(Record):
    """A column's name and type."""

    name: str
    column_type: str


@record
class Cell(Record):
    """A value with its type. The server requires ``column_type`` to come first."""

    column_type: str
    value: Any = None


@record
class Row(Record):
    """A row of a data frame."""

    values: list[Cell]


@record
class DataFrame(Record):
    """A data frame (columns and rows): input and output of the classic algorithms."""

    column_metas: list[ColumnMeta]
    rows: list[Row]


@record
class Prediction(Record):
    """The output of a model: ``inference_results`` of deep-learning and remote models, else ``prediction_result``."""

    inference_results: list[ModelTensors] | None = None
    task_id: str | None = None
    status: str | None = None
    prediction_result: DataFrame | None = None
    remote_job: Mapping[str, Any] | None = None

    @property
    def tensors(self) -> list[ModelTensor]:
        """All outputs in order, whether the model returns one result per document or one with many outputs."""
        return [tensor for result in self.inference_results or () for tensor in result.output or ()]


@mixin
class MLInput:
    """The input of a model. The required fields depend on its function; see ``Predict``."""

    query_text: str | None = None
    text_docs: Sequence[str] | None = None
    question: str | None = None
    context: str | None = None
    return_bytes: bool | None = None
    return_number: bool | None = None
    target_response: Sequence[str] | None = None
    target_response_positions: Sequence[int] | None = None
    parameters: Mapping[str, Any] | None = None
    input_data: DataFrame | None = None
    input_index: Sequence[str] | None = None
    input_query: Mapping[str, Any] | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "text_docs")
        yield from checks.at_most_one(self, "input_data", "input_index")


INPUT_OF_2_4 = ("text_docs", "return_bytes", "return_number", "target_response", "target_response_positions")
INPUT_SINCE_2_12 = {"2.12": ("query_text",), "2.13": ("question", "context")}
INPUT_SINCE_2_4 = {"2.4": INPUT_OF_2_4, **INPUT_SINCE_2_12}


@endpoint(
    "POST /_plugins/_ml/_predict/{algorithm}/{model_id}",
    since="1.3",
    repeatable=True,
    needs_body=True,
    newer=INPUT_SINCE_2_4,
)
class Predict(MLInput, Request[Prediction]):
    """Predict with the function named. The only route that passes ``text_docs`` to a remote model too.

    ``text_docs`` for embeddings and sparse encoders; ``query_text`` with ``text_docs`` for cross-encoders; ``question``
    with ``context`` for question answering; ``parameters`` for remote models; ``input_data`` or ``input_index`` with
    ``input_query`` for the classic algorithms. ``return_bytes`` with ``return_number=False`` gives a dense embedding
    as bytes, from local models only.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict/
    """

    algorithm: str
    model_id: str


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/_predict",
    since="2.4",
    repeatable=True,
    needs_body=True,
    newer={**INPUT_SINCE_2_12, "2.16": ("action_type",)},
)
class PredictByModel(MLInput, Request[Prediction]):
    """Predict with a model whose function the server looks up. Fields as for ``ml.predict``; remote: ``parameters``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict/
    """

    model_id: str
    _: KW_ONLY
    action_type: str | None = None


@record
class BatchStarted(TaskStarted):
    """A batch job that a remote service started; wait with ``ml.task(started)``. ``remote_job`` is its response."""

    remote_job: Mapping[str, Any] | None = None


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/_batch_predict", since="2.16", needs_body=True, newer={"2.19": ("dlq",)}
)
class BatchPredict(Request[BatchStarted]):
    """Start an offline batch prediction: a remote service reads its input from files, and writes files.

    ``job = ml.task(await ml.models.batch_predict(...))``: ``await job`` waits for its end, ``job.cancel()`` cancels it.
    A server from 3.7 on (3.9 too) starts jobs, but refuses to poll or cancel them; before, it does so with a provider
    at a private address. The job continues: poll its provider, by the id in ``remote_job``.

    ``dlq`` is the dead letter queue (bucket and region) of failed records.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/batch-predict/
    """

    model_id: str
    _: KW_ONLY
    parameters: Mapping[str, Any] | None = None
    action_type: str | None = None
    dlq: Mapping[str, Any] | None = None


@record
class Words(Record):
    """A chunk of a streamed response: text (``content``), whether it ``is_last``, and all outputs (``tensors``)."""

    inference_results: list[ModelTensors]

    @property
    def tensors(self) -> dict[str, ModelTensor]:
        """The outputs by name."""
        return {tensor.name or "": tensor for result in self.inference_results for tensor in result.output or ()}

    @property
    def _response(self) -> Mapping[str, Any]:
        tensor = self.tensors.get("response")
        return tensor.dataAsMap if isinstance(tensor, MapTensor) else {}

    @property
    def content(self) -> str:
        """The text of this chunk; may be empty in the last one."""
        return str(self._response.get("content", ""))

    @property
    def is_last(self) -> bool:
        """Whether this is the last chunk of the response."""
        return bool(self._response.get("is_last", False))

    @property
    def memory_id(self) -> str | None:
        """The id of an agent's conversation."""
        tensor = self.tensors.get("memory_id")
        return (tensor.result or None) if isinstance(tensor, TextTensor) else None


@endpoint("POST /_plugins/_ml/models/{model_id}/_predict/stream", since="3.3", needs_body=True)
class PredictStream(StreamRequest[Words]):
    """Predict with a remote model and stream its response.

    ``async with ml.models.predict_stream(model_id, parameters={...}) as events: async for words in events: ...``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict-stream/
    """

    model_id: str
    _: KW_ONLY
    parameters: Mapping[str, Any] | None = None

    def event(self, data: Data) -> Words:
        return convert.structure(data, Words)

    def is_last(self, event: Words) -> bool:
        return event.is_last
