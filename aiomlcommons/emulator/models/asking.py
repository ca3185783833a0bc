"""What processors and queries ask of models: embeddings, token weights, scores of texts, and answers to parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import MLInput
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.models import model_store
from aiomlcommons.emulator.models.predict import infer
from aiomlcommons.emulator.registry import Plain

NO_MODEL = "Failed to find model with the provided model id: {id}"
SHAPE = 'Ensure the connector\'s post_process_function {verb}: {{"response": [[float, float, ...], ...]}}'
NO_RESPONSE = f"The remote model response is missing the required 'response' key. {SHAPE.format(verb='returns')}"
NO_WEIGHTS = (
    "The model response is missing the required 'response' key. Ensure the model returns: "
    '{"response": [{"token": weight, ...}, ...]}. For remote models, check the connector\'s post_process_function.'
)
TOO_FEW = "Index {size} out of bounds for length {size}"
AS_IDS = {"sparse_embedding_format": "TOKEN_ID"}


def found(cluster: Cluster, model_id: str) -> Model:
    """Return a model. Raises Refused (404) where there is none."""
    return model_store.find(cluster, model_id, NO_MODEL.format(id=model_id))


async def dense(cluster: Cluster, model_id: str, texts: Sequence[str]) -> list[Any]:
    """Return a vector for each text. Raises Refused, as the model's prediction does."""
    found(cluster, model_id)
    return _enough(await _vectors(cluster, model_id, MLInput(text_docs=texts)), len(texts))


async def of_text_and_image(cluster: Cluster, model_id: str, text: str | None, image: str | None) -> Any:
    """Return the vector of a text with an image, either of which may be missing."""
    found(cluster, model_id)
    # The text comes first even where there is none: it is by their places that connectors tell them apart.
    docs: list[Any] = [text] if image is None else [text, image]
    return _enough(await _vectors(cluster, model_id, MLInput(text_docs=docs)), 1)[0]


async def _vectors(cluster: Cluster, model_id: str, asked: MLInput) -> list[Any]:
    vectors: list[Any] = []
    for tensor in await _tensors(cluster, model_id, asked):
        if "data" in tensor:
            vectors.append(tensor["data"])
            continue
        if "response" not in tensor.get("dataAsMap", {}):
            raise refused(500, "illegal_state_exception", NO_RESPONSE)
        vectors += tensor["dataAsMap"]["response"]
    return vectors


async def sparse(
    cluster: Cluster, model_id: str, texts: Sequence[str], *, as_ids: bool = False
) -> list[Mapping[str, Any]]:
    """Return the weights of the tokens of each text; with ``as_ids`` tokens are ids of the vocabulary."""
    found(cluster, model_id)
    weights: list[Mapping[str, Any]] = []
    for tensor in await _tensors(cluster, model_id, MLInput(text_docs=texts, parameters=AS_IDS if as_ids else None)):
        if "response" not in tensor.get("dataAsMap", {}):
            raise illegal(NO_WEIGHTS)
        weights += tensor["dataAsMap"]["response"]
    return _enough(weights, len(texts))


async def scores(cluster: Cluster, model_id: str, query: str, texts: Sequence[str]) -> list[float]:
    """Return how well each text answers a query, by a cross-encoder."""
    vectors = await _vectors(cluster, model_id, MLInput(query_text=query, text_docs=texts))
    return [float(vector[0]) for vector in _enough(vectors, len(texts))]


async def highlights(cluster: Cluster, model_id: str, question: str, context: str) -> list[Mapping[str, Any]]:
    """Return the sentences of a context that answer a question, each with ``start`` and ``end``."""
    tensors = await _tensors(cluster, model_id, MLInput(question=question, context=context))
    return [each for tensor in tensors for each in tensor.get("dataAsMap", {}).get("highlights", ())]


async def answered(cluster: Cluster, model_id: str, asked: MLInput, *, texts: bool) -> Mapping[str, Any]:
    """Return the whole answer of a model, as its prediction has it: ``inference_results``."""
    found(cluster, model_id)
    answer: Mapping[str, Any] = (await _infer(cluster, model_id, asked, texts=texts)).data
    return answer


async def _tensors(cluster: Cluster, model_id: str, asked: MLInput) -> list[Mapping[str, Any]]:
    answer = await _infer(cluster, model_id, asked, texts=True)
    return [tensor for result in answer.data["inference_results"] for tensor in result["output"]]


async def _infer(cluster: Cluster, model_id: str, asked: MLInput, *, texts: bool) -> Plain:
    return await cluster.faults.around(lambda: infer(cluster, model_id, asked, texts=texts))


def _enough(results: list[Any], size: int) -> list[Any]:
    """Return what a model gave for each text. Raises Refused where it gave less."""
    if len(results) < size:
        raise refused(500, "index_out_of_bounds_exception", TOO_FEW.format(size=len(results)))
    return results
