"""Hints for terse server messages, each from a recording of a real server."""

from __future__ import annotations

import pickle
from typing import Any

import orjson
import pytest

from aiomlcommons import HttpRequest, HttpResponse
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.errors import TooManyRequests
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble import hints
from aiomlcommons.waiting.errors import TaskFailed
from tests.wire.recordings import exchanges

# The wrapper and stack trace that ML Commons 2.4.1 adds to the message of a Java exception.
OLD = "java.security.PrivilegedActionException: java.net.{}\n\tat java.base/java.security.AccessController.doPrivileged"
STACK = (
    "(AccessController.java:573)\n\tat org.opensearch.ml.engine.ModelHelper.<init>(ModelHelper.java:55)\n\t... 4 more"
)
LOCAL = "register it from a local file (FileModel, or `aiomlcommons models upload PATH`)"


def failed(error: str, task_type: str = "REGISTER_MODEL") -> TaskFailed:
    return TaskFailed("t", TaskInfo(task_type=task_type, state="FAILED", error=error))


@pytest.mark.parametrize(
    ("error", "means"),
    [
        ("artifacts.opensearch.org", "cannot find the host artifacts.opensearch.org, where the pretrained models are"),
        (
            "no-such-host.example",
            "cannot find the host no-such-host.example, of the model's URL (no internet, or no DNS)",
        ),
        (
            OLD.format("UnknownHostException: no-such-host.example") + STACK,
            "cannot find the host no-such-host.example,",
        ),
        ("java.net.UnknownHostException: a.example: Name or service not known", "cannot find the host a.example,"),
        ("models: Temporary failure in name resolution", "cannot find the host models,"),
        ("Connection refused", "cannot reach the host of the model's file"),
        (OLD.format("ConnectException: Connection refused") + STACK, "cannot reach the host of the model's file"),
        ("Connection timed out (Connection timed out)", "cannot reach the host of the model's file"),
        ("Connect timed out", "cannot reach the host of the model's file"),
        ("Network is unreachable (connect failed)", "cannot reach the host of the model's file"),
        ("Unsupported or unrecognized SSL message", "cannot establish TLS with the host of the model's file"),
        ("PKIX path building failed: unable to find valid certification path", "cannot establish TLS with the host"),
    ],
)
def test_a_file_that_the_cluster_cannot_fetch_may_come_from_here(error: str, means: str) -> None:
    told = str(failed(error))
    assert f"; the cluster {means}" in told
    assert told.endswith(f": {LOCAL}")
    assert "\tat " not in told


@pytest.mark.parametrize(
    "error", ["http://host:1/none.zip", OLD.format("FileNotFoundException: http://host:1/none.zip")]
)
def test_a_file_that_is_not_there_is_named(error: str) -> None:
    assert str(failed(error)).endswith("; there is no file at http://host:1/none.zip, as the cluster sees it")


@pytest.mark.parametrize(
    "error",
    ["Is a directory", "Illegal character in path at index 5: words 91917/", "m.pt file not found in: /data/m.pt"],
)
def test_a_name_that_keeps_a_model_from_its_nodes_is_told(error: str) -> None:
    told = str(failed(orjson.dumps({"node": error}).decode(), "DEPLOY_MODEL"))
    assert told == (
        f"DEPLOY_MODEL t ended FAILED: {error}; a model whose name ends in a file extension, such as .zip, cannot be "
        "deployed: choose another name"
    )


@pytest.mark.parametrize(
    ("error", "task_type"),
    [
        ("model content changed", "REGISTER_MODEL"),
        ("Connection refused", "BATCH_PREDICTION"),
        ("artifacts.opensearch.org", "DEPLOY_MODEL"),
        ("Is a directory", "REGISTER_MODEL"),
    ],
)
def test_words_that_tell_it_themselves_stand_alone(error: str, task_type: str) -> None:
    assert str(failed(error, task_type)) == f"{task_type} t ended FAILED: {error}"


def test_each_line_that_tells_something_is_told_once() -> None:
    stack = "\n\tat a.B.c(D.java:1)\n\t... 4 more"
    caused = f"\nCaused by: a.E: why{stack}"
    assert hints.without_stack(f"a.E: why{stack}{caused}{caused}") == "a.E: why\nCaused by: a.E: why"


def test_a_stack_alone_is_better_than_nothing() -> None:
    assert hints.without_stack("\tat a.B.c(D.java:1)") == "\tat a.B.c(D.java:1)"


def test_a_failed_task_survives_a_pickle_with_what_it_means() -> None:
    error = failed("artifacts.opensearch.org")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


# ---- limits --------------------------------------------------------------------------------------------------------

LIMITS = [
    (
        "Native Memory Circuit Breaker is open, please",
        "plugins.ml_commons.native_memory_threshold allows (default 90 %)",
    ),
    ("Memory Circuit Breaker is open, please", "plugins.ml_commons.jvm_heap_memory_threshold allows (default 85 %)"),
    ("Disk Circuit Breaker is open, please", "plugins.ml_commons.disk_free_space_threshold demands (default 5gb)"),
    ("All nodes' memory usage exceeds limitation 85. No", "plugins.ml_commons.task_dispatch_policy least_load allows"),
    (
        "All nodes' executing ML task count reach limitation.",
        "plugins.ml_commons.max_ml_task_per_node allows (default 10)",
    ),
    ("blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];", "by cluster.blocks.create_index: OpenSearch"),
]


@pytest.mark.parametrize(("words", "setting"), LIMITS)
@pytest.mark.parametrize("place", ["reason", "details"])
def test_a_limit_is_named_with_its_setting_and_its_figure(words: str, setting: str, place: str) -> None:
    body: dict[str, Any] = {"error": {"type": "m_l_limit_exceeded_exception", "reason": "System Error", place: words}}
    answer = HttpResponse(429, orjson.dumps({**body, "status": 429}), {}, HttpRequest("POST", "/"))
    assert setting in str(error_for(answer))
    assert setting in str(failed(words))
    assert setting in str(failed(orjson.dumps({"node": words}).decode(), "DEPLOY_MODEL"))


def test_the_recorded_parent_breaker_is_told_with_its_bytes_and_its_setting() -> None:
    answer = next(e.response for e in exchanges() if e.case == "real.parent_breaker")
    error = error_for(answer)
    assert isinstance(error, TooManyRequests)
    assert "would be [2082304048/1.9gb], which is larger than the limit of [2040109465/1.8gb]" in str(error)
    assert "indices.breaker.total.limit allows (default 95 %), which passes" in str(error)
