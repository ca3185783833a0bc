"""Tools of agents with typed parameters."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.api.agent_tools import ml_model_tool, neural_sparse_search_tool, rag_tool, vector_db_tool
from aiomlcommons.api.agents import RegisterAgent, ToolSpec
from aiomlcommons.wire.codec import to_http

WHERE: dict[str, Any] = {"index": "docs", "embedding_field": "embedding", "source_field": ["text"]}


@pytest.mark.parametrize(
    ("tool", "written"),
    [
        (
            vector_db_tool("m", **WHERE, input="${parameters.question}", doc_size=3, k=5, name="search"),
            {
                "type": "VectorDBTool",
                "name": "search",
                "parameters": {"model_id": "m", **WHERE, "input": "${parameters.question}", "doc_size": 3, "k": 5},
            },
        ),
        (
            neural_sparse_search_tool("m", **WHERE, nested_path="chunks"),
            {"type": "NeuralSparseSearchTool", "parameters": {"model_id": "m", **WHERE, "nested_path": "chunks"}},
        ),
        (
            rag_tool("e", "llm", **WHERE, query_type="neural_sparse", prompt="Answer by ${parameters.output_field}"),
            {
                "type": "RAGTool",
                "parameters": {
                    "embedding_model_id": "e",
                    "inference_model_id": "llm",
                    **WHERE,
                    "query_type": "neural_sparse",
                    "prompt": "Answer by ${parameters.output_field}",
                },
            },
        ),
        (
            rag_tool("e", enable_content_generation=False, **WHERE),
            {"type": "RAGTool", "parameters": {"embedding_model_id": "e", **WHERE, "enable_Content_Generation": False}},
        ),
        (
            ml_model_tool(
                "llm", prompt="${parameters.question}", response_field="choices", parameters={"temperature": 0},
                description="d", include_output_in_agent_response=True,
            ),
            {
                "type": "MLModelTool",
                "description": "d",
                "parameters": {
                    "temperature": 0,
                    "model_id": "llm",
                    "prompt": "${parameters.question}",
                    "response_field": "choices",
                },
                "include_output_in_agent_response": True,
            },
        ),
    ],
)  # fmt: skip
def test_a_tool_has_its_parameters_under_the_names_of_the_api(tool: ToolSpec, written: Any) -> None:
    sent = orjson.loads(to_http(RegisterAgent("a", "flow", tools=[tool])).body or b"")
    assert sent["tools"] == [written]


@pytest.mark.parametrize(
    ("make", "given", "problem"),
    [
        (vector_db_tool, {"model_id": "", **WHERE}, "VectorDBTool: model_id must be a text that is not empty, not ''"),
        (vector_db_tool, {"model_id": "m", **WHERE, "index": " "}, "VectorDBTool: index must be a text"),
        (vector_db_tool, {"model_id": "m", **WHERE, "k": 0}, "VectorDBTool: k must be a positive integer, not 0"),
        (vector_db_tool, {"model_id": "m", **WHERE, "doc_size": True}, "doc_size must be a positive integer, not True"),
        (
            neural_sparse_search_tool,
            {"model_id": "m", **WHERE, "source_field": "text"},
            r"NeuralSparseSearchTool: source_field must be a list of fields, such as \['text'\], not 'text'",
        ),
        (neural_sparse_search_tool, {"model_id": "m", **WHERE, "source_field": []}, "source_field must be a list"),
        (rag_tool, {"embedding_model_id": "e", **WHERE}, "RAGTool: inference_model_id is needed, or enable_content_"),
        (ml_model_tool, {"model_id": None}, "MLModelTool: model_id must be a text that is not empty, not None"),
    ],
)
def test_a_tool_that_could_not_work_is_refused(make: Any, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        make(**given)
