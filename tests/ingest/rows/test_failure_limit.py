"""Failure limit: a number, a share, or the first rows that all fail for one reason."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from aiomlcommons.ingest.errors import TooManyFailures
from aiomlcommons.ingest.rows.failure_limit import FIRST, LEAST, FailureLimit
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters
from aiomlcommons.ingest.types import BadRow


def limit(most: float | None = None, start: int = 0) -> FailureLimit:
    return FailureLimit(DeadLetters(Path("out.dead.jsonl")), most, start)


def letters(first: int, end: int, why: str = "it has no field 'text'") -> list[DeadLetter]:
    return [DeadLetter(row, f"d{row}", why, {}) for row in range(first, end)]


def test_the_first_thousand_rows_may_not_all_fail_for_one_reason() -> None:
    one = limit()
    one.add(letters(0, FIRST - 1))
    one.check(FIRST + 50, FIRST - 1)
    one.add(letters(FIRST - 1, FIRST + 24))
    with pytest.raises(TooManyFailures) as error:
        one.check(FIRST + 75, FIRST + 24)
    assert str(error.value) == (
        "1,024 of 1,075 rows failed, all of the first 1,000 for one reason; 1,024 of them for: it has no field 'text'; "
        "they are in out.dead.jsonl. With a checkpoint the same call resumes the job"
    )


def test_a_job_that_resumes_counts_its_own_first_rows() -> None:
    one = limit(start=5_000)
    one.add(letters(5_000, 5_000 + FIRST))
    with pytest.raises(TooManyFailures):
        one.check(5_000 + FIRST, FIRST)


def test_rows_that_fail_for_several_reasons_or_later_are_no_wrong_setting() -> None:
    one = limit()
    one.add([*letters(0, FIRST - 1), *letters(FIRST - 1, FIRST, "its text is empty")])
    one.add(letters(FIRST, 9 * FIRST))
    one.check(9 * FIRST, 9 * FIRST, ended=True)


def test_a_file_of_another_format_may_fail_for_many_reasons() -> None:
    one = limit()
    words = ["unexpected end", "not a list", "trailing comma"]
    one.add([DeadLetter(n, None, "", BadRow(f"not JSON: {words[n % 3]}", "a", "{")) for n in range(FIRST)])
    with pytest.raises(TooManyFailures, match="not JSON: unexpected end"):
        one.check(FIRST, FIRST)


def test_numbers_in_a_reason_do_not_make_it_another_one() -> None:
    one = limit()
    one.add([DeadLetter(row, "d", f"its text has {row} characters", {}) for row in range(FIRST)])
    with pytest.raises(TooManyFailures, match="its text has N characters"):
        one.check(FIRST, FIRST)


@pytest.mark.parametrize(("most", "failed"), [(0, 1), (7, 8), (LEAST, LEAST + 1)])
def test_a_number_is_the_most_that_may_fail(most: int, failed: int) -> None:
    one = limit(most)
    one.add(letters(0, failed))
    one.check(10_000, most, ended=True)
    with pytest.raises(TooManyFailures, match=f"{failed:,} of 10,000 rows failed, more than max_failures={most}; "):
        one.check(10_000, failed)


def test_a_share_counts_once_there_are_some_rows_or_at_the_end() -> None:
    one = limit(0.1)
    one.add(letters(0, LEAST))
    one.check(LEAST - 1, LEAST - 1)
    one.check(10 * LEAST, LEAST, ended=True)
    for settled, ended in ((LEAST, False), (20, True)):
        with pytest.raises(TooManyFailures, match=r"more than max_failures=0\.1"):
            one.check(settled, settled // 5, ended=ended)


def test_infinity_is_no_limit() -> None:
    one = limit(math.inf)
    one.add(letters(0, 2 * FIRST))
    one.check(2 * FIRST, 2 * FIRST, ended=True)
