"""Training, predictions of trained models, and the execution of algorithms that need no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiomlcommons.api.algorithms import ExecuteAlgorithm, Execution, Train, TrainAndPredict, Training
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.predict import DataFrame, MLInput, Prediction
from aiomlcommons.api.tasks import TaskType
from aiomlcommons.emulator import jobs
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, no_index, refused
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.models._learning import KMeans, LinearRegression, Trained
from aiomlcommons.emulator.registry import Plain, handles
from aiomlcommons.wire import convert

Trainer = Callable[[DataFrame, Mapping[str, Any]], Trained]
TRAINERS: Mapping[FunctionName, Trainer] = {
    FunctionName.KMEANS: KMeans.train,
    FunctionName.LINEAR_REGRESSION: LinearRegression.train,
}
OPERATIONS: Mapping[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}


@handles(Train)
async def train(cluster: Cluster, request: Train) -> Training:
    """Train on the data of the request and store the model; with ``async`` as a task."""
    function = _function(request.algorithm)
    trainer, frame = _trainer(function), _data(request)
    if not request.async_:
        with cluster.counts.counted(function, "train"):
            model_id = _keep(cluster, function, trainer(frame, request.parameters or {}))
        return Training(model_id=model_id, status="COMPLETED")

    async def work() -> str:
        try:
            return _keep(cluster, function, trainer(frame, request.parameters or {}))
        except Refused as error:
            raise JobFailed(error.body["error"]["reason"]) from error

    task_id = jobs.start(cluster, request, TaskType.TRAINING, function, work, input_type="DATA_FRAME")
    return Training(task_id=task_id, status="CREATED")


@handles(TrainAndPredict)
async def train_and_predict(cluster: Cluster, request: TrainAndPredict) -> Prediction:
    """Train and predict the same data in one call; the model is not stored."""
    function = _function(request.algorithm)
    if function != FunctionName.KMEANS:
        raise _not_emulated(f"the emulator does not train {function} and predict in one call")
    frame = _data(request)
    with cluster.counts.counted(function, "train_predict"):
        trained = KMeans.train(frame, request.parameters or {})
    return Prediction(status="COMPLETED", prediction_result=trained.predict(frame))


def predict(cluster: Cluster, model_id: str, ml_input: MLInput) -> Plain:
    """Return the prediction of a trained model."""
    algorithm = cluster.models.documents[model_id].source.algorithm or ""
    frame = _data(ml_input)
    with cluster.counts.counted(algorithm, "predict", model_id):
        trained: Trained = cluster.trained[model_id]
        result = trained.predict(frame)
    return Plain(convert.unstructure(Prediction(status="COMPLETED", prediction_result=result)))


@handles(ExecuteAlgorithm)
async def execute(cluster: Cluster, request: ExecuteAlgorithm) -> Execution:
    """Run the sample calculator; the other algorithms need indices with documents, which the emulator lacks."""
    function = _function(request.algorithm)
    if function != FunctionName.LOCAL_SAMPLE_CALCULATOR:
        raise _not_emulated(f"the emulator does not execute {function}")
    operation, numbers = request.body.get("operation"), request.body.get("input_data")
    if operation is None:
        raise illegal("wrong operation")
    if not numbers:
        raise illegal("empty input data")
    with cluster.counts.counted(function, "execute"):
        if operation not in OPERATIONS:
            raise _bad_execution("can't support this operation")
        return Execution(result=float(OPERATIONS[operation]([float(number) for number in numbers])))


def _function(algorithm: str) -> FunctionName:
    try:
        return FunctionName(algorithm.upper())
    except ValueError:
        raise illegal("Wrong function name") from None


def _trainer(function: FunctionName) -> Trainer:
    if function not in TRAINERS:
        raise _not_emulated(f"the emulator does not train {function}, only {', '.join(TRAINERS)}")
    return TRAINERS[function]


def _data(ml_input: MLInput) -> DataFrame:
    if ml_input.input_data is not None:
        return ml_input.input_data
    if ml_input.input_index:
        raise no_index(",".join(ml_input.input_index))
    raise illegal("input_data or input_index is missing")


def _keep(cluster: Cluster, function: FunctionName, trained: Trained) -> str:
    model_id = cluster.new_id()
    cluster.trained[model_id] = trained
    model = Model(name=function, algorithm=function, model_version="1.0.0", model_state=ModelState.TRAINED)
    cluster.models.put(model_id, model)
    return model_id


def _not_emulated(reason: str) -> Refused:
    return refused(501, "not_emulated", reason)


def _bad_execution(details: str) -> Refused:
    """Return an error in the format of executions."""
    error = {"type": "IllegalArgumentException", "reason": "Invalid Request", "details": details}
    return Refused(400, {"status": 400, "error": error})
