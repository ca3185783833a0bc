"""Prediction handlers: local models are computed here, remote ones called through their connectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import MLInput, Predict, PredictByModel
from aiomlcommons.emulator import errors, rate_limits
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.counting import timed
from aiomlcommons.emulator.errors import breaker_open, illegal, status_error
from aiomlcommons.emulator.models import _vectors, deployment, model_store, training
from aiomlcommons.emulator.registry import Plain, handles

Tensor: TypeAlias = dict[str, Any]
DIMENSION = 384
SPARSE = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}
TEXTS = {FunctionName.TEXT_EMBEDDING, *SPARSE}


@handles(Predict)
async def predict(cluster: Cluster, request: Predict) -> Plain:
    """Predict by algorithm: the algorithm of the path decides how the body is validated, the model what is computed."""
    model_store.find(cluster, request.model_id)
    algorithm = request.algorithm.upper()
    if algorithm not in FunctionName.__members__:
        raise illegal("Wrong function name")
    _check_input(algorithm, request)
    return await infer(cluster, request.model_id, request, texts=algorithm != FunctionName.REMOTE)


@handles(PredictByModel)
async def predict_by_model(cluster: Cluster, request: PredictByModel) -> Plain:
    """Predict by model, whose algorithm decides how the body is validated; a remote one uses ``parameters``."""
    model = model_store.find(cluster, request.model_id)
    _check_input(model.algorithm or "", request)
    return await infer(cluster, request.model_id, request, texts=False)


def _check_input(algorithm: str, ml_input: MLInput) -> None:
    if algorithm in TEXTS and not ml_input.text_docs:
        raise illegal("Empty text docs")
    if algorithm in SPARSE:
        _as_ids(ml_input.parameters or {})
    if algorithm == FunctionName.TEXT_SIMILARITY and not ml_input.text_docs:
        raise illegal("No text documents were provided")
    if algorithm == FunctionName.TEXT_SIMILARITY and ml_input.query_text is None:
        raise illegal("No query text was provided")
    if algorithm == FunctionName.QUESTION_ANSWERING:
        for name, text in (("Question", ml_input.question), ("Context", ml_input.context)):
            if not text:
                raise illegal(f"{name} is not provided")


async def infer(cluster: Cluster, model_id: str, ml_input: MLInput, *, texts: bool) -> Plain:
    """Return what a model predicts; with ``texts``, a remote one is given texts instead of parameters."""
    model = model_store.find(cluster, model_id)
    if model.is_enabled is False:
        raise status_error(403, "Model is disabled.")
    rate_limits.check(cluster, model_id, model)
    if model_id in cluster.trained:
        return training.predict(cluster, model_id, ml_input)
    watched = cluster.counts.watch(model_id)
    with timed(cluster.clock, watched.requests, refused_too=True):
        check_deployed(cluster, model_id, model)
        with (
            cluster.counts.counted(model.algorithm or "", "predict", model_id),
            timed(cluster.clock, watched.inferences),
        ):
            return await _inferred(cluster, model_id, model, ml_input, texts=texts)


async def _inferred(cluster: Cluster, model_id: str, model: Model, ml_input: MLInput, *, texts: bool) -> Plain:
    if model.algorithm == FunctionName.REMOTE:
        remote.check_allowed(cluster)
        return Plain({"inference_results": await remote.predict(cluster, model_id, model, ml_input, texts=texts)})
    if broken := cluster.machine.open_breaker(cluster.settings):
        raise breaker_open(broken)
    answer = _ANSWERS.get(FunctionName(model.algorithm or ""))
    if answer is None:
        raise illegal(f"the emulator has no predictions of {model.algorithm}")
    return Plain({"inference_results": [{"output": output} for output in answer(model, ml_input)]})


def check_deployed(cluster: Cluster, model_id: str, model: Model) -> None:
    """Raise Refused for a model that is not deployed; a remote one may be deployed by its first prediction."""
    if model_id in cluster.on_node:
        return
    wanted = model.deploy_setting is None or model.deploy_setting.is_auto_deploy_enabled is not False
    allowed = cluster.settings.flag("model_auto_deploy.enable") and wanted
    if model.algorithm != FunctionName.REMOTE or not allowed:
        raise illegal(errors.NOT_READY)
    deployment.deploy_by_prediction(cluster, model_id)


# ---- the types of models: each function returns the outputs of each document ---------------------------------------


def _dense(model: Model, ml_input: MLInput) -> list[list[Tensor]]:
    dimension = (model.model_config and model.model_config.embedding_dimension) or DIMENSION
    rows = _vectors.embed(ml_input.text_docs or [], dimension)
    if not _is_wanted(ml_input, "sentence_embedding", 0):
        return [[] for _ in rows]
    numbers, octets = ml_input.return_number is not False, bool(ml_input.return_bytes)
    return [[_tensor("sentence_embedding", row, numbers=numbers, octets=octets)] for row in rows]


def _is_wanted(ml_input: MLInput, name: str, position: int) -> bool:
    if ml_input.target_response:
        return name in ml_input.target_response
    return not ml_input.target_response_positions or position in ml_input.target_response_positions


def _tensor(name: str, row: Any, *, numbers: bool, octets: bool) -> Tensor:
    tensor: Tensor = {"name": name, "data_type": "FLOAT32", "shape": [len(row)]}
    if numbers:
        tensor["data"] = row
    if octets:
        tensor["byte_buffer"] = {"array": row.tobytes(), "order": "LITTLE_ENDIAN"}
    return tensor


def _sparse(_: Model, ml_input: MLInput) -> list[list[Tensor]]:
    as_ids = _as_ids(ml_input.parameters or {})
    weights = [_vectors.sparse_weights(text, as_ids=as_ids) for text in ml_input.text_docs or ()]
    return [[{"name": "output", "dataAsMap": {"response": [each]}}] for each in weights]


def _tokens(_: Model, ml_input: MLInput) -> list[list[Tensor]]:
    as_ids = _as_ids(ml_input.parameters or {})
    counted = [_vectors.tokens(text, as_ids=as_ids) for text in ml_input.text_docs or ()]
    return [[{"dataAsMap": {"response": [dict.fromkeys(each, 1.0)]}}] for each in counted]


def _as_ids(parameters: Mapping[str, Any]) -> bool:
    wanted = str(parameters.get("sparse_embedding_format") or "WORD").upper()
    if wanted not in {"WORD", "TOKEN_ID"}:
        kind = "org.opensearch.ml.common.input.parameter.textembedding.SparseEmbeddingFormat"
        raise illegal(f"No enum constant {kind}.{wanted}")
    return wanted == "TOKEN_ID"


def _scores(_: Model, ml_input: MLInput) -> list[list[Tensor]]:
    scores = _vectors.similarity(ml_input.query_text or "", ml_input.text_docs or ())
    # A cross-encoder returns numbers and bytes whatever was requested.
    return [[_tensor("similarity", scores[i : i + 1], numbers=True, octets=True)] for i in range(len(scores))]


def _answer(model: Model, ml_input: MLInput) -> list[list[Tensor]]:
    context = ml_input.context or ""
    spans = _vectors.sentences(context)
    scores = _vectors.similarity(ml_input.question or "", [context[start:end] for start, end in spans])
    if model.model_config and model.model_config.model_type == "sentence_highlighting":
        best = [place for place, score in enumerate(scores) if score > 0 and score >= 0.5 * scores.max()]
        found = {"highlights": [_highlight(context, *spans[place], place) for place in best]}
        return [[{"name": "highlights", "dataAsMap": found}]]
    start, end = spans[int(np.argmax(scores))] if spans else (0, 0)
    return [[{"result": context[start:end]}]]


def _highlight(context: str, start: int, end: int, place: int) -> dict[str, Any]:
    """Return a highlight as the server does: positions are doubles and count UTF-16 code units, as Java does."""
    begins = _units(context[:start])
    return {
        "start": begins,
        "end": begins + _units(context[start:end]),
        "text": context[start:end],
        "position": float(place),
    }


def _units(text: str) -> float:
    return len(text.encode("utf-16-le")) / 2


_ANSWERS: Mapping[FunctionName, Callable[[Model, MLInput], list[list[Tensor]]]] = {
    FunctionName.TEXT_EMBEDDING: _dense,
    FunctionName.SPARSE_ENCODING: _sparse,
    FunctionName.SPARSE_TOKENIZE: _tokens,
    FunctionName.TEXT_SIMILARITY: _scores,
    FunctionName.QUESTION_ANSWERING: _answer,
}
