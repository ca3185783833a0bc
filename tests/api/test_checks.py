"""What is refused before the network, with the name of the field and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import InvalidRequest, Request
from aiomlcommons.api import checks
from aiomlcommons.api.agentic_memory import GetMemoryDocument
from aiomlcommons.api.agents import AgentModelSpec, LLMSpec, RegisterAgent
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.api.controllers import CreateController
from aiomlcommons.api.memory_containers import CreateMemoryContainer
from aiomlcommons.api.memory_search import HybridSearch, SemanticSearch
from aiomlcommons.api.model_groups import RegisterModelGroup
from aiomlcommons.api.model_records import RateLimiter
from aiomlcommons.api.model_registration import CHUNK_SIZE, RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.models import UpdateModel
from aiomlcommons.api.predict import Predict
from aiomlcommons.wire.codec import to_http

WRONG: Any = "nope"
CONNECTOR = CreateConnector("c", version=1, protocol="http")
ACTION = ConnectorAction(action_type="predict", method="POST", url="http://h", name="no spaces")


FILE: Any = {"model_format": "TORCH_SCRIPT", "model_content_hash_value": "0", "total_chunks": 1}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (RegisterModel("m", url="http://h/m.zip", connector_id="c"), "url and connector_id exclude each other"),
        (
            RegisterModel("m.zip", url="http://h/m.zip"),
            r"name must not end in \.zip: no node could deploy a model of the",
        ),
        (RegisterModelMeta("m.PT.tar.GZ", **FILE), r"name must not end in \.tar\.GZ"),
        (RegisterModelMeta("m.pt", **FILE), r"name must not end in \.pt"),
        (UpdateModel("m", connector_id="c", connector=CONNECTOR), "connector_id and connector exclude each other"),
        (RegisterModel("m", model_id="_x"), "model_id may hold letters, digits, '_' and '-', and begin with"),
        (RegisterModel("m", model_format=WRONG), r"expected 'TORCH_SCRIPT' or 'ONNX', got 'nope' @ \$\.model_format"),
        (RegisterModelGroup("g", access_mode=WRONG), "expected 'public' or 'private' or 'restricted', got 'nope'"),
        (RegisterModelGroup("g", model_group_id="a b"), "model_group_id may hold"),
        (RegisterModelGroup("g", model_group_id="a" * 513), "model_group_id may have 512 characters at most, not 513"),
        (CreateMemoryContainer("c", memory_container_id="-x"), "memory_container_id may hold"),
        (
            UploadModelChunk("m", 0, bytes(CHUNK_SIZE + 1)),
            "content has 10,000,001 bytes; a chunk holds at most",
        ),
        (UploadModelChunk("m", -1, b"x"), "chunk_number begins at 0, not -1"),
        (Predict("text_embedding", "m", text_docs=[]), "text_docs must not be empty"),
        (RegisterAgent("a" * 129, "flow"), "name may have 128 characters, not 129"),
        (
            RegisterAgent("a", "flow", llm=LLMSpec("m"), model=AgentModelSpec("m", "openai/v1/chat/completions")),
            "llm and model exclude each other",
        ),
        (SemanticSearch("c", "tea", k=0), "k must be between 1 and 10000, not 0"),
        (HybridSearch("c", "tea", bm25_weight=0.7), r"must add up to 1, not 1\.2"),
        (GetMemoryDocument("c", WRONG, "m"), "expected 'sessions' or 'working' or 'long-term' or 'history'"),
        (CreateConnector("c", version=1, protocol="mcp_sse"), "url is required where protocol is 'mcp_sse'"),
        (CreateConnector("c", version=1, protocol="http", actions=[ACTION]), "actions: name may hold 1 to 64"),
        (CreateController("m", {"u": RateLimiter(1, WRONG)}), r"expected 'NANOSECONDS' or .* @ \$\.user_rate_limiter"),
    ],
)
def test_what_the_server_would_refuse_is_refused_by_name(request_: Request[Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{type(request_).__name__}: .*{words}"):
        to_http(request_)


@pytest.mark.parametrize(
    "request_",
    [
        RegisterModel("m", connector_id="c"),
        RegisterModel("m", model_id="my-model_1"),
        UploadModelChunk("m", 0, bytes(CHUNK_SIZE)),
        HybridSearch("c", "tea", bm25_weight=0.4, neural_weight=0.6),
        HybridSearch("c", "tea", k=10_000),
        CreateConnector("c", version=1, protocol="mcp_sse", url="http://h"),
        RegisterModelMeta("m", model_format="ONNX", model_content_hash_value="0", total_chunks=1),
    ],
)
def test_what_it_would_take_is_sent(request_: Request[Any]) -> None:
    assert to_http(request_).path


# Each was tried on real servers of 3.8 and, but for the last ones, 2.4.1.
@pytest.mark.parametrize("ending", [".zip", ".ZIP", ".tar", ".tgz", ".tar.gz", ".Tar.Gz", ".tar.z", ".pt"])
def test_a_name_that_no_node_could_deploy_is_refused(ending: str) -> None:
    (problem,) = checks.deployable_name(f"model{ending}", None)
    assert problem == f"name must not end in {ending}: no node could deploy a model of the name 'model{ending}'"


@pytest.mark.parametrize(
    "name", ["m.gz", "m.npz", "m.jar", "m.PT", "m.zip ", "zip", "m.tar.x", "a.zip/b", "m.onnx", ""]
)
def test_other_names_pass(name: str) -> None:
    assert list(checks.deployable_name(name, "TORCH_SCRIPT")) == []


def test_a_torch_file_in_the_name_troubles_a_torch_model_alone() -> None:
    assert list(checks.deployable_name("m.pt", "ONNX")) == []
    assert list(checks.deployable_name("m.pt", "torch_script"))
    assert list(checks.deployable_name("m.zip", "ONNX"))


def test_names_of_what_is_no_file_of_the_cluster_are_free() -> None:
    to_http(RegisterModel("remote.zip", function_name="remote", connector_id="c"))


@pytest.mark.parametrize(
    ("file", "name"),
    [("m.zip", "m"), ("m.ZIP", "m"), ("m.tar.gz", "m"), ("m.pt", "m"), ("m.pt.zip", "m"), ("m.1", "m.1"), ("m", "m")],
)
def test_a_model_is_called_by_its_file_without_its_ending(file: str, name: str) -> None:
    assert checks.name_of_file(file) == name
