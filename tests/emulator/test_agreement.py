"""The emulator agrees with the recordings, and the comparison detects differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.agreement import Agreement
from tests.support.agreement.left_out import reason_of
from tests.support.agreement.shape import differences
from tests.wire.recordings import FILES, exchanges

SUPPORTED = {
    "ml-commons-2.4.1.jsonl": 37,
    "ml-commons-3.4.0-faults.jsonl": 29,
    "ml-commons-3.4.0-models.jsonl": 30,
    "ml-commons-3.4.0.jsonl": 209,
    "ml-commons-3.8.0.jsonl": 37,
    "ml-commons-3.9.0.jsonl": 72,
    "ml-commons-runs.jsonl": 143,
    "opensearch-3.8.0-indices.jsonl": 473,
    "opensearch-3.8.0-api.jsonl": 50,
    "opensearch-3.8.0-live.jsonl": 447,
    "opensearch-3.8.0-neural.jsonl": 67,
    "opensearch-3.8.0-pipelines.jsonl": 450,
    "races-and-restarts.jsonl": 19,
    "real-servers.jsonl": 20,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_the_emulator_answers_as_the_server_did(file: Path) -> None:
    agreement = Agreement()
    await agreement.play(file)
    assert not agreement.disagreements, str(agreement)
    assert agreement.supported == SUPPORTED[file.name]


def test_every_reason_to_leave_something_out_is_needed() -> None:
    left_out = [row for row in exchanges() if reason_of(row)]
    assert len(left_out) + sum(SUPPORTED.values()) == sum(1 for _ in exchanges())


@pytest.mark.parametrize(
    ("recorded", "got", "found"),
    [
        ({"a": 1}, {"a": 2.5}, 0),
        ({"a": 1}, {"a": "1"}, 1),
        ({"a": 1}, {"a": True}, 1),
        ({"a": 1}, {"b": 1}, 1),
        ({"a": [1, "x"]}, {"a": [2]}, 0),
        ({"a": [1]}, {"a": []}, 1),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, 1),
        ({"node": {"x": 1}}, {"other": {"x": 2}}, 0),
        ({"node": {"x": 1}}, {"other": {"y": 2}}, 1),
        ({"dataAsMap": {"response": [{"hello": 0.5}]}}, {"dataAsMap": {"response": [{"world": 1}]}}, 0),
    ],
)
def test_shapes_differ_by_keys_and_kinds(recorded: object, got: object, found: int) -> None:
    assert len(list(differences(recorded, got, {"node": "other"}))) == found
