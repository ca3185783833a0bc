"""The clean-up of a contract test hides no failure, and runs every step."""

from __future__ import annotations

import pytest

from tests.support.contract.undoing import afterwards

pytestmark = pytest.mark.asyncio


async def fails() -> None:
    raise OSError("cannot be undone")


async def test_every_step_is_taken_and_the_first_failure_raised() -> None:
    taken: list[int] = []

    async def takes() -> None:
        taken.append(1)

    with pytest.raises(OSError, match="cannot be undone") as caught:
        async with afterwards(fails, takes, fails):
            pass
    assert taken == [1]
    assert caught.value.__notes__ == ["and then: OSError('cannot be undone')"]


async def test_the_tests_own_failure_is_raised_with_those_of_the_steps_as_notes() -> None:
    with pytest.raises(KeyError) as caught:
        async with afterwards(fails):
            raise KeyError("why the test failed")
    assert caught.value.__notes__ == ["and afterwards: OSError('cannot be undone')"]


async def test_a_test_that_skips_is_skipped_whatever_the_steps_do() -> None:
    with pytest.raises(pytest.skip.Exception):
        async with afterwards(fails):
            pytest.skip("for a reason")
