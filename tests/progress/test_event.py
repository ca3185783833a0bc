"""Events of progress: how far a call is, as numbers and as a line of text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aiomlcommons import Phase, Progress
from aiomlcommons.progress.words import fit, plain, size, span

JOB: dict[str, Any] = {
    "phase": Phase.EMBEDDING,
    "name": "in.jsonl -> out.npy",
    "unit": "documents",
    "rate": 125.0,
    "counts": {"retried": 7, "failed": 50},
    "in_flight": 3,
    "limit": 8,
    "latency": 0.0342,
    "seconds": 10.0,
}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"phase": Phase.REGISTERING, "name": "m"}, "registering: m"),
        ({"phase": Phase.WAITING, "name": "m", "model_id": "id", "words": "for x"}, "waiting: m (id) for x"),
        (
            {"phase": Phase.DEPLOYED, "name": "m", "model_id": "id", "done": 1, "total": 2, "unit": "nodes"},
            "deployed: m (id) 1 of 2 nodes",
        ),
        (
            {"phase": Phase.UPLOADING, "name": "m.zip", "done": 10_000_000, "total": 90_100_000, "unit": "bytes"},
            "uploading: m.zip 10.0 MB of 90.1 MB, 11 %",
        ),
        (
            {**JOB, "done": 1_250, "total": 5_000, "eta": 30.0},
            "embedding: in.jsonl -> out.npy 1,250 of 5,000 documents, 25 %, 125/s, 3 of 8 requests under way, "
            "34 ms each, 7 retried, 50 failed, 30 s to go",
        ),
        (
            {"phase": Phase.EMBEDDING, "done": 5, "unit": "rows", "words": "1 request pauses: no"},
            "embedding: 5 rows; 1 request pauses: no",
        ),
        ({**JOB, "phase": Phase.FINISHED, "done": 5, "words": "5 read"}, "finished: in.jsonl -> out.npy; 5 read"),
    ],
)
def test_an_event_reads_as_a_line(event: dict[str, Any], line: str) -> None:
    assert str(Progress(**event)) == line


@pytest.mark.parametrize(
    ("done", "total", "share", "percent"),
    [
        (None, None, None, ""),
        (5, None, None, ""),
        (0, 0, None, ""),
        (1, 3, 1 / 3, "33 %"),
        (1_250, 1_000, 1.0, "100 %"),
    ],
)
def test_the_share_is_told_where_it_is_known(
    done: int | None, total: int | None, share: float | None, percent: str
) -> None:
    progress = Progress(phase=Phase.EMBEDDING, done=done, total=total, unit="rows")
    assert (progress.share, progress.percent) == (share, percent)


def test_an_estimate_says_that_it_is_one() -> None:
    assert Progress(phase=Phase.EMBEDDING, done=1, total=5, about=True, unit="rows").counted == "1 of about 5 rows"


def test_the_figures_of_a_job_are_all_that_one_watches() -> None:
    assert Progress(**JOB, done=5, eta=30.0).figures == {
        "documents/s": "125",
        "latency": "34 ms",
        "requests": "3 of 8",
        "retried": "7",
        "failed": "50",
        "time": "10 s",
        "to go": "30 s",
    }


def test_what_is_not_known_is_not_guessed() -> None:
    figures = Progress(**{**JOB, "latency": None, "eta": None}, done=5).figures
    assert (figures["latency"], figures["to go"]) == ("-", "-")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (math.inf, "-"),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (800, "13 min 20 s"),
        (7_500, "2 h 5 min"),
        (36e5, "1,000 h 0 min"),
    ],
)
def test_time_is_said_as_people_say_it(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(None, "-"), (999, "999 bytes"), (191_930, "191.9 kB"), (10**16, "10,000.0 TB")]
)
def test_bytes_are_said_in_units(count: int | None, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("a\n b\tc", 10, "a b c"),
        ("\x1b[31mred\x07", 20, "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"),
        ("half \ud83d", 20, "half \N{REPLACEMENT CHARACTER}"),
        ("abcdefghij", 5, "ab…ij"),
        ("abcdefghij", 4, "ab…j"),
        ("abcdefghij", 1, "…"),
    ],
)
def test_a_text_becomes_one_line_without_what_changes_a_terminal(text: str, most: int, shown: str) -> None:
    assert plain(text, most) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("", 3, ""),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("\u540d\u524d", 4, "\u540d\u524d"),
        ("\u540d\u524d", 3, "\u540d…"),
        ("\u540d\u524d", 2, "…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("abc", 0, "…"),
    ],
)
def test_a_text_is_cut_to_columns_of_a_terminal(text: str, width: int, shown: str) -> None:
    assert fit(text, width) == shown
