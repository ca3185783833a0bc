"""A short trial of the suite, on the emulator: see ``__main__.py`` for the long ones, and ``back.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reembedding.live.__main__ import Trial, run
from tests.reembedding.live.ledger import Entry, Expected
from tests.reembedding.live.world import server


@pytest.mark.asyncio
async def test_an_index_in_use_is_re_embedded_by_a_process_that_is_killed_again_and_again(tmp_path: Path) -> None:
    async with server(None) as there:
        trial = Trial(
            url=there.url,
            documents=30,
            kills=2,
            rate=40,
            dimension=there.dimension,
            longest=0.2,
            followed=0.1,
            pause=0.1,
        )
        outcome = await run(trial, tmp_path)
    assert not outcome.accounts.wrong
    # In so small an index soon few documents have a vector, for the writer sends none; all are found by their words.
    assert not outcome.searches["failed"], outcome.searches["errors"]
    assert sum(outcome.killed.values()) == trial.kills
    assert outcome.accounts.right >= trial.documents
    assert outcome.writes["written"]
    assert outcome.searches["meaning"]


def test_what_must_be_is_read_from_the_ledger() -> None:
    entries = [
        Entry("d0", 1, deletes=False, status=201, index="old"),
        Entry("d1", 1, deletes=True, status=200, index="old"),
        Entry("d2", 1, deletes=False, status=429, error="too many"),
        Entry("d3", 1, deletes=False, status=0, error="ConnectError"),
        Entry("d4", 1, deletes=True, status=404, index="new"),
    ]
    expected = Expected.of(5, iter(entries))
    assert expected.documents == {"d0": {1}, "d1": {None}, "d2": {0}, "d3": {0, 1}, "d4": {None}}
    assert (expected.counts["refused"], expected.counts["unknown"], expected.counts["deleted"]) == (1, 1, 2)
