"""The statistics of a job: the counters balance, survive a resume, and give an estimate of the time left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.ingest.stats import COUNTS, Report, Stats


class Watch:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_rows_that_are_dealt_with_are_written_deduplicated_skipped_or_failed() -> None:
    assert Stats(read=99, written=1, deduplicated=20, skipped=300, failed=4000).settled == 4321


def test_seconds_and_rate_count_from_the_start(watch: Watch) -> None:
    stats = Stats(clock=watch)
    watch.now += 4
    stats.written = 100
    assert (stats.seconds, stats.rate) == (4, 25)


def test_a_job_that_goes_on_has_its_accounts_and_a_rate_of_its_own(watch: Watch) -> None:
    stats = Stats(clock=watch, total=1600)
    stats.resume({name: 100 * (number + 1) for number, name in enumerate(COUNTS)})
    assert stats.counts == {name: 100 * (number + 1) for number, name in enumerate(COUNTS)}
    assert stats.rate == 0
    assert stats.eta is None
    before = stats.settled
    watch.now += 2
    stats.written += 50
    assert stats.rate == 25
    assert stats.eta == (1600 - before - 50) / 25


def test_the_accounts_of_an_earlier_version_lack_some_names() -> None:
    stats = Stats(failed=3)
    stats.resume({"written": 7, "unknown": 1})
    assert (stats.written, stats.failed, stats.before) == (7, 0, 7)


def test_the_end_is_not_known_where_the_number_of_rows_is_not(watch: Watch) -> None:
    stats = Stats(clock=watch, written=10)
    watch.now += 1
    assert stats.eta is None


def test_the_end_is_not_known_before_anything_is_done(watch: Watch) -> None:
    stats = Stats(clock=watch, total=10)
    watch.now += 1
    assert stats.eta is None


def test_a_source_with_more_rows_than_it_said_is_at_its_end(watch: Watch) -> None:
    stats = Stats(clock=watch, total=10, written=12)
    watch.now += 1
    assert stats.eta == 0


def test_no_time_at_all_is_no_division_by_zero(watch: Watch) -> None:
    assert Stats(clock=watch, written=10, total=20).rate > 0


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "0 documents, 3 of 8 requests under way"),
        ({"total": 1_000_000}, "0 of 1,000,000 documents, 0 %, 3 of 8 requests under way"),
        (
            {"total": 50_000, "written": 24_000, "failed": 1000, "retried": 2000},
            "25,000 of 50,000 documents, 50 %, 2,500/s, 3 of 8 requests under way, 2,000 retried, 1,000 failed, "
            "10 s to go",
        ),
        ({"written": 20, "retried": 1}, "20 documents, 2/s, 3 of 8 requests under way, 1 retried"),
    ],
)
def test_they_read_as_a_line(watch: Watch, counts: dict[str, Any], words: str) -> None:
    stats = Stats(clock=watch, in_flight=3, limit=8, **counts)
    watch.now += 10
    assert str(stats) == words


def test_the_latency_is_that_of_recent_requests(watch: Watch) -> None:
    stats = Stats(clock=watch)
    assert "ms each" not in str(stats)
    stats.answered(0.2)
    assert stats.latency == 0.2
    stats.answered(1.2)
    assert stats.latency == pytest.approx(0.3)
    assert ", 300 ms each" in str(stats)
    for _ in range(100):
        stats.answered(2.0)
    assert stats.latency == pytest.approx(2.0, abs=1e-3)


def test_what_is_not_known_is_reckoned_up_from_what_is_read(watch: Watch) -> None:
    stats = Stats(clock=watch, written=1000)
    watch.now += 10
    stats.expect(2000, 0.4)
    assert (stats.done, stats.eta) == ("1,000 of about 5,000 documents", 40)
    stats.expect(4000, 1.0)
    assert stats.done == "1,000 of about 4,000 documents"


def test_what_is_known_is_not_reckoned(watch: Watch) -> None:
    stats = Stats(clock=watch, total=10)
    stats.expect(2000, 0.4)
    assert stats.done == "0 of 10 documents"


def test_an_end_beyond_all_numbers_is_left_out(watch: Watch) -> None:
    stats = Stats(clock=watch, written=1, total=10**300)
    watch.now += 1e20
    assert "to go" not in str(stats)


def test_a_report_has_the_accounts_the_time_and_the_place_of_the_dead_letters(watch: Watch) -> None:
    stats = Stats(clock=watch, read=1234, written=1200, deduplicated=20, skipped=10, failed=4, embedded=1190)
    watch.now += 12.34
    report = Report.of(stats, Path("job.dead"))
    assert (report.read, report.embedded, report.dead_letters, report.balanced) == (1234, 1190, "job.dead", True)
    assert str(report) == (
        "1,234 read = 1,200 written + 20 deduplicated + 10 skipped + 4 failed; 12.3 s; the failed ones are in job.dead"
    )


@pytest.mark.parametrize(("failed", "path"), [(0, "job.dead"), (1, None)])
def test_a_report_names_no_file_that_is_not_there(failed: int, path: str | None) -> None:
    report = Report.of(Stats(read=failed, failed=failed), path)
    assert report.dead_letters is None
    assert "failed ones" not in str(report)


@pytest.mark.parametrize("name", ["written", "deduplicated", "skipped", "failed"])
def test_accounts_do_not_balance_where_one_document_is_missing_or_too_many(name: str) -> None:
    counts: dict[str, Any] = {"written": 4, "deduplicated": 3, "skipped": 2, "failed": 1}
    assert Report.of(Stats(read=10, **counts), None).balanced
    for wrong in (-1, 1):
        assert not Report.of(Stats(read=10, **{**counts, name: counts[name] + wrong}), None).balanced
