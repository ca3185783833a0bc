"""Tools of agents that ask models, with their parameters: ``tools=[vector_db_tool("m", index="docs", ...)]``.

Any other tool is a ``ToolSpec``. The server keeps the parameters as text, and returns them so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from aiomlcommons.api.agents import ToolSpec
from aiomlcommons.errors import InvalidRequest


class ToolOptions(TypedDict, total=False):
    """What every tool may have: a name and a description, by which a model chooses it, whether its output is shown."""

    name: str
    description: str
    include_output_in_agent_response: bool
    attributes: Mapping[str, Any]
    config: Mapping[str, Any]


def vector_db_tool(
    model_id: str,
    *,
    index: str,
    embedding_field: str,
    source_field: Sequence[str],
    input: str | None = None,
    doc_size: int | None = None,
    k: int | None = None,
    nested_path: str | None = None,
    **options: Unpack[ToolOptions],
) -> ToolSpec:
    """Return a ``VectorDBTool``: it finds documents by the vector of its input.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/vector-db-tool/

    Args:
        model_id: The model that embeds the input, which has to be that of the documents.
        index: The index to search.
        embedding_field: The field of the vectors.
        source_field: The fields of a document to return.
        input: The text to search for, such as ``"${parameters.question}"``.
        doc_size: The number of documents to return; 2 by default.
        k: The number of nearest neighbors to look for; 10 by default.
        nested_path: The nested field that ``embedding_field`` is in.
        options: Name, description and so on: see ``ToolOptions``.
    """
    given = {
        "model_id": model_id,
        "index": index,
        "embedding_field": embedding_field,
        "source_field": source_field,
        "input": input,
        "doc_size": doc_size,
        "k": k,
        "nested_path": nested_path,
    }
    return _tool("VectorDBTool", given, options)


def neural_sparse_search_tool(
    model_id: str,
    *,
    index: str,
    embedding_field: str,
    source_field: Sequence[str],
    input: str | None = None,
    doc_size: int | None = None,
    nested_path: str | None = None,
    **options: Unpack[ToolOptions],
) -> ToolSpec:
    """Return a ``NeuralSparseSearchTool``: it finds documents by the tokens and weights that a sparse model makes.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/neural-sparse-tool/

    Args:
        model_id: The sparse model, or the tokenizer, that is asked for the tokens of the input.
        index: The index to search.
        embedding_field: The field of the tokens and weights.
        source_field: The fields of a document to return.
        input: The text to search for, such as ``"${parameters.question}"``.
        doc_size: The number of documents to return; 2 by default.
        nested_path: The nested field that ``embedding_field`` is in.
        options: Name, description and so on: see ``ToolOptions``.
    """
    given = {
        "model_id": model_id,
        "index": index,
        "embedding_field": embedding_field,
        "source_field": source_field,
        "input": input,
        "doc_size": doc_size,
        "nested_path": nested_path,
    }
    return _tool("NeuralSparseSearchTool", given, options)


def rag_tool(
    embedding_model_id: str,
    inference_model_id: str | None = None,
    *,
    index: str,
    embedding_field: str,
    source_field: Sequence[str],
    query_type: Literal["neural", "neural_sparse"] | None = None,
    prompt: str | None = None,
    input: str | None = None,
    doc_size: int | None = None,
    k: int | None = None,
    nested_path: str | None = None,
    enable_content_generation: bool | None = None,
    **options: Unpack[ToolOptions],
) -> ToolSpec:
    """Return a ``RAGTool``: it finds documents, and lets a language model answer by them.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/rag-tool/

    Args:
        embedding_model_id: The model that the documents are found by.
        inference_model_id: The language model; needed unless ``enable_content_generation`` is False.
        index: The index to search.
        embedding_field: The field of the vectors, or of the tokens and weights.
        source_field: The fields of a document that the language model reads, as ``${parameters.output_field}``.
        query_type: Whether the first model is a dense one (``neural``, the default) or a sparse one.
        prompt: The prompt of the language model.
        input: The text to search for, such as ``"${parameters.question}"``.
        doc_size: The number of documents to read; 2 by default.
        k: The number of nearest neighbors to look for; 10 by default.
        nested_path: The nested field that ``embedding_field`` is in.
        enable_content_generation: Whether the language model is asked; if not, the documents are returned.
        options: Name, description and so on: see ``ToolOptions``.
    """
    if inference_model_id is None and enable_content_generation is not False:
        raise InvalidRequest("RAGTool: inference_model_id is needed, or enable_content_generation=False")
    given = {
        "embedding_model_id": embedding_model_id,
        "inference_model_id": inference_model_id,
        "index": index,
        "embedding_field": embedding_field,
        "source_field": source_field,
        "query_type": query_type,
        "prompt": prompt,
        "input": input,
        "doc_size": doc_size,
        "k": k,
        "nested_path": nested_path,
        "enable_Content_Generation": enable_content_generation,
    }
    return _tool("RAGTool", given, options)


def ml_model_tool(
    model_id: str,
    *,
    prompt: str | None = None,
    response_field: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[ToolOptions],
) -> ToolSpec:
    """Return an ``MLModelTool``: it asks any remote model.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/ml-model-tool/

    Args:
        model_id: The model.
        prompt: Its prompt, such as ``"Answer: ${parameters.question}"``.
        response_field: The key of its answer that is the output; ``response`` by default. All of the answer, if it has
            no such key.
        parameters: Other parameters of its connector, such as ``{"temperature": 0}``.
        options: Name, description and so on: see ``ToolOptions``.
    """
    given = {**(parameters or {}), "model_id": model_id, "prompt": prompt, "response_field": response_field}
    return _tool("MLModelTool", given, options)


def _tool(type: str, given: Mapping[str, Any], options: ToolOptions) -> ToolSpec:
    for problem in _problems(given):
        raise InvalidRequest(f"{type}: {problem}")
    parameters = {name: value for name, value in given.items() if value is not None}
    return ToolSpec(type=type, parameters=parameters, **options)


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    for name in ("model_id", "embedding_model_id", "index", "embedding_field"):
        value = given.get(name, "x")
        if not isinstance(value, str) or not value.strip():
            yield f"{name} must be a text that is not empty, not {value!r}"
    if "source_field" in given and (isinstance(given["source_field"], str) or not given["source_field"]):
        yield f"source_field must be a list of fields, such as ['text'], not {given['source_field']!r}"
    for name in ("doc_size", "k"):
        value = given.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            yield f"{name} must be a positive integer, not {value!r}"
