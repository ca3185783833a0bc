"""Built-in pre- and post-processing functions of connectors: texts to parameters, responses to tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from aiomlcommons.api.predict import MLInput
from aiomlcommons.emulator.errors import Refused, illegal, refused

PRE, POST = "connector.pre_process.", "connector.post_process."

_BEFORE: Mapping[str, Callable[[MLInput], dict[str, Any]]] = {
    "default.embedding": lambda ml_input: {"input": ml_input.text_docs},
    "openai.embedding": lambda ml_input: {"input": ml_input.text_docs},
    "cohere.embedding": lambda ml_input: {"texts": ml_input.text_docs},
    "bedrock.embedding": lambda ml_input: {"inputText": (ml_input.text_docs or [""])[0]},
    "bedrock.multimodal_embedding": lambda ml_input: dict(
        zip(("inputText", "inputImage"), ml_input.text_docs or (), strict=False)
    ),
    "cohere.rerank": lambda ml_input: {
        "query": ml_input.query_text,
        "documents": ml_input.text_docs,
        "top_n": len(ml_input.text_docs or ()),
    },
    "default.rerank": lambda ml_input: {"query_text": ml_input.query_text, "text_docs": ml_input.text_docs},
}


def before(function: str | None, ml_input: MLInput) -> dict[str, Any]:
    """Apply a pre-processing function to texts.

    Raises Refused where there are texts and no function, or an unknown one.
    """
    process = _BEFORE.get((function or "").removeprefix(PRE))
    if process is None:
        if function:
            raise illegal(f"the emulator does not know the pre_process_function {function}")
        raise illegal("Must provide pre_process_function for predict action to process text docs input.")
    return process(ml_input)


def _embedding(vector: Any) -> dict[str, Any]:
    if not isinstance(vector, list):
        raise illegal("The embedding should be a non-empty List containing List of Float values.")
    if not vector or not isinstance(vector[0], int | float):
        raise illegal("The embedding should be a non-empty List containing Float values.")
    data = [_shown(number) for number in vector]
    return {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [len(vector)], "data": data}


def _shown(number: Any) -> Any:
    """Return a number as the server writes it to JSON, which has no NaN and no infinity."""
    if not isinstance(number, float) or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _similarity(score: Any) -> dict[str, Any]:
    return {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [score]}


def _cohere_scores(answer: Any) -> list[dict[str, Any]]:
    ordered = sorted(answer["results"], key=lambda result: result["index"])
    return [_similarity(result["relevance_score"]) for result in ordered]


_AFTER: Mapping[str, Callable[[Any], list[dict[str, Any]]]] = {
    "default.embedding": lambda answer: [_embedding(vector) for vector in answer],
    "openai.embedding": lambda answer: [_embedding(row["embedding"]) for row in answer["data"]],
    "cohere.embedding": lambda answer: [_embedding(vector) for vector in answer["embeddings"]],
    "bedrock.embedding": lambda answer: [_embedding(answer["embedding"])],
    "cohere.rerank": _cohere_scores,
    "default.rerank": lambda answer: [_similarity(score) for score in answer],
}
_ROOTS = {"openai.embedding": "data", "cohere.embedding": "embeddings", "cohere.rerank": "results"}


def after(function: str | None, answer: Any) -> list[dict[str, Any]]:
    """Apply a post-processing function and return tensors; without a function return the response as a map.

    Raises Refused where the response does not have the format that the function expects.
    """
    if not function:
        mapped = answer if isinstance(answer, Mapping) else {"response": answer}
        return [{"name": "response", "dataAsMap": as_doubles(mapped)}]
    name = function.removeprefix(POST)
    if name not in _AFTER:
        raise illegal(f"the emulator does not know the post_process_function {function}")
    try:
        return _AFTER[name](answer)
    except (KeyError, TypeError, IndexError):
        raise _unexpected(_ROOTS.get(name, "data"), answer) from None


def as_doubles(value: Any) -> Any:
    """Convert integers to floats: the server parses remote JSON with a library that knows only doubles."""
    if isinstance(value, Mapping):
        return {key: as_doubles(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_doubles(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _unexpected(root: str, answer: Any) -> Refused:
    reason = f"Missing property in path $['{root}']"
    if not isinstance(answer, Mapping):
        reason = (
            f"Expected to find an object with property ['{root}'] in path $ but found 'java.lang.String'. This is not "
            "a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'."
        )
    why = {"type": "path_not_found_exception", "reason": reason}
    return refused(500, "m_l_exception", "Fail to execute PREDICT in aws connector", why)
