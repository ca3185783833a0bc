"""The replay command: its counts, names and exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomlcommons import ENDPOINTS
from aiomlcommons.http import JSON
from aiomlcommons.wire.routes import Router
from tests.wire.recordings import exchanges, is_other
from tests.wire.replay import main
from tests.wire.rows import GROUP, lines, row


def test_the_command_replays_all_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    recorded, router = list(exchanges()), Router(ENDPOINTS)
    others = sum(is_other(e.request, router) for e in recorded)
    assert others == 360
    assert capsys.readouterr().out == f"{len(recorded) - others} passed, 0 failed, {others} other APIs'\n"


def test_a_folder_is_all_the_recordings_beneath_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    good = row("good", "GET", "/model_groups/g", body=GROUP)
    lines(tmp_path / "a" / "one.jsonl", good, good)
    lines(tmp_path / "a" / "b" / "two.jsonl", good)
    (tmp_path / "a" / "notes.md").write_text("no recording")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "3 passed, 0 failed, 0 other APIs'\n"


def test_other_apis_are_counted_apart_and_only_their_errors_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"status": 200, "content_type": JSON, "body": {"took": 1, "items": []}}
    asked = [
        {"method": "POST", "path": "/_msearch", "body_text": "{}\n{}\n"},
        {"method": "PUT", "path": "/i/_doc/1"},
        {"method": "PUT", "path": "/_snapshot/s", "body": '{"a": 1}'},
    ]
    rows = [{"case": "other", "request": request, "response": answers} for request in asked]
    missing = {"error": {"type": "index_not_found_exception", "reason": "no such index [i]"}, "status": 404}
    rows.append(
        {"case": "gone", "request": asked[1], "response": {"status": 404, "content_type": JSON, "body": missing}}
    )
    settings = {"method": "GET", "path": "/_cluster/settings"}
    said = {"status": 200, "content_type": JSON, "body": {"persistent": {}, "transient": {}}}
    rows.append({"case": "ours", "request": settings, "response": said})
    assert main([lines(tmp_path / "some.jsonl", *rows)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed, 4 other APIs'\n"


def test_the_command_may_be_kept_to_some_resources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = row("bad", "GET", "/tasks/t", body={"nope": 1})
    file = lines(tmp_path / "some.jsonl", row("good", "GET", "/model_groups/g", body=GROUP), bad)
    assert main([file, "--only", "model_groups", "models"]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed, 0 other APIs', 1 skipped\n"


def test_the_command_names_each_failure_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = row("good", "GET", "/model_groups/g", body=GROUP)
    bad = row("bad", "GET", "/model_groups/g", body={**GROUP, "nope": 1})
    unknown = row("unknown", "GET", "/nope/nope/nope", body={})
    file = lines(tmp_path / "some.jsonl", good, bad, unknown)
    assert main([file]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED some.jsonl bad: GET /_plugins/_ml/model_groups/g -> 200",
        "       Difference: answer holds keys that no field takes: ['nope']",
        "FAILED some.jsonl unknown: GET /_plugins/_ml/nope/nope/nope -> 200",
        "       Difference: no endpoint has this route",
        "1 passed, 2 failed, 0 other APIs'",
    ]
    assert main([file, "--only", "models"]) == 0
    assert capsys.readouterr().out == "0 passed, 0 failed, 0 other APIs', 3 skipped\n"


def test_an_unknown_resource_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "nope"])
    assert "invalid choice: 'nope'" in capsys.readouterr().err
