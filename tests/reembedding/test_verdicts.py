"""Rounds between writers that do anything at any moment: what the verdicts alone lose, bring back or leave over.

The writes of a round are those of ``Changes``, on indices that keep versions as OpenSearch does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.reembedding import verdicts
from aiomlcommons.reembedding.errors import ForeignVersions
from aiomlcommons.reembedding.reading import Found
from aiomlcommons.reembedding.verdicts import Verdict
from aiomlcommons.reembedding.versions import NOTHING, base_of, dropped, dropped_at, fingerprint, seq_no_of, version_of
from tests.support.versioned_index import VersionedIndex

KEYS = "abc"
Op: TypeAlias = "tuple[str, str]"
Gaps: TypeAlias = "tuple[list[Op], ...]"
Judge: TypeAlias = Callable[[Found | None, Found | None], Verdict]
Acts: TypeAlias = Callable[[list[Op]], None]
# What one writer does in a gap of a round: "w" writes, "d" deletes.
ops = st.lists(st.tuples(st.sampled_from("wd"), st.sampled_from(KEYS)), max_size=3)
# The gaps of some rounds: before it, and in both of its passes between the looks at both indices, and before it writes.
gaps = st.lists(st.tuples(ops, ops, ops, ops, ops), min_size=1, max_size=4)
NONE: Gaps = ([], [], [], [], [])


class Writer:
    """A writer with a ledger: ``latest`` is the last acknowledged text of each document, None if deleted."""

    def __init__(self, index: VersionedIndex, name: str) -> None:
        self.index, self.name = index, name
        self.latest: dict[str, str | None] = {}
        self._count = 0

    def __call__(self, todo: list[Op]) -> None:
        for op, key in todo:
            self._count += 1
            if op == "w":
                self.latest[key] = f"{self.name}{self._count}"
                self.index.index(key, f"{self.name}{self._count}")
            elif key in self.index.docs:
                self.latest[key] = None
                self.index.delete(key)


def snapshot(index: VersionedIndex) -> dict[str, Found]:
    return {key: found for key, (found, _) in index.docs.items()}


def a_round(
    here: VersionedIndex, there: VersionedIndex, judge: Judge, gaps: Gaps, acts: Acts, deleted: dict[str, int]
) -> dict[str, tuple[int, int]]:
    """Do what verdicts say, in the order of ``pairs``; return what was written, with its version and what it is of."""
    brought: dict[str, tuple[int, int]] = {}
    versions = dict(deleted)
    before, between, during, again, last = gaps
    acts(before)
    scanned = snapshot(here)
    acts(between)
    known = snapshot(there)
    acts(during)
    for key, one in scanned.items():
        if verdict_of_write := carry_out(one, known.get(key), there, judge, deleted):
            write(verdict_of_write, here.docs.get(key), known.get(key), there, brought, versions)
    scanned = snapshot(there)
    acts(again)
    known = snapshot(here)
    acts(last)
    for key, one in scanned.items():
        if key not in known:
            carry_out(None, one, there, judge, deleted)
    return brought


def carry_out(
    one: Found | None, other: Found | None, there: VersionedIndex, judge: Judge, deleted: dict[str, int]
) -> Verdict | None:
    """Delete what is to be deleted, or return what else is to be done."""
    verdict = judge(one, other)
    if verdict not in (Verdict.DELETE, Verdict.DROP):
        return verdict
    assert other is not None
    if verdict is Verdict.DROP:
        there.drop(other, dropped(other.version))
    elif there.delete_found(other):
        deleted[other.id] = other.version + 1
    return None


def write(
    verdict: Verdict,
    fetched: tuple[Found, str] | None,
    other: Found | None,
    there: VersionedIndex,
    brought: dict[str, tuple[int, int]],
    versions: Mapping[str, int],
) -> None:
    """Write a document as it is at this moment, unless it is deleted."""
    if fetched is None:
        return
    (now, text), key = fetched, fetched[0].id
    if verdict is Verdict.BRING:
        at: int | None = versions.get(key, NOTHING)
        if not there.copy(key, text, versions.get(key, NOTHING), "f"):
            at = dropped_at(there.conflict(key))
            at = at if at is not None and there.copy(key, text, at, "f") else None
        if at is not None:
            brought[key] = (at, now.seq_no)
    elif verdict in (Verdict.COPY, Verdict.LOOK):
        there.copy(key, text, version_of(now.seq_no), fingerprint("m", key))
    elif verdict in (Verdict.WRITE, Verdict.COMPARE):
        done = there.create(key, text, "f") if other is None else there.over(other, text, "f")
        if done:
            brought[key] = (1 if other is None else other.version + 1, now.seq_no)


def before_switch(source: VersionedIndex, target: VersionedIndex, writer: Writer, rounds: list[Gaps]) -> None:
    for one in rounds:
        a_round(source, target, verdicts.whole, one, writer, {})


@settings(max_examples=100, deadline=None)
@given(gaps, st.booleans())
def test_a_round_without_writers_makes_the_target_what_the_source_is_whatever_was_before(
    rounds: list[Gaps], forgets: bool
) -> None:
    source, target = VersionedIndex(forgets), VersionedIndex(forgets)
    writer = Writer(source, "s")
    before_switch(source, target, writer, [*rounds, NONE])
    assert target.texts() == source.texts()
    for key, (found, _) in target.docs.items():
        assert seq_no_of(found.version) == source.docs[key][0].seq_no, "which proves that they are equal"
    mark = target.mark
    a_round(source, target, verdicts.whole, NONE, writer, {})
    assert target.mark == mark, "nothing is left to do"


@settings(max_examples=100, deadline=None)
@given(gaps, ops, gaps, st.data())
def test_after_the_switch_no_write_to_the_new_index_is_replaced_and_no_late_one_is_lost(
    rounds: list[Gaps], late: list[Op], after: list[Gaps], data: st.DataObject
) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    before_switch(source, target, Writer(source, "s"), [*rounds, NONE])
    marks = {0: source.mark}
    straggler, writer = Writer(source, "late"), Writer(target, "new")
    straggler(late)
    brought: dict[str, tuple[int, int]] = {}
    deleted, conflicts = dict[str, int](), set[str]()
    # What writers still sent to the old index when others wrote to the new one: nobody knows which came later.
    straying: set[str] = set()

    def acts(todo: list[Op]) -> None:
        stray = data.draw(ops) if todo else []
        straying.update(key for _, key in stray)
        straggler(stray)
        writer(todo)

    for one in [*after, NONE]:
        late_of = verdicts.Late(marks, brought, deleted)

        def judge(here: Found | None, there: Found | None, late_of: verdicts.Late = late_of) -> Verdict:
            verdict = late_of(here, there)
            if verdict is Verdict.CONFLICT and here is not None:
                conflicts.add(here.id)
            return verdict

        brought |= a_round(source, target, judge, one, acts, deleted)
    for key, text in writer.latest.items():
        if key not in straying:
            assert target.texts().get(key) == text, "nothing replaces what the new index took, and no delete is undone"
        elif text is not None:
            assert target.texts().get(key) in {text, straggler.latest.get(key)}
    for key, text in straggler.latest.items():
        if key not in writer.latest and key not in conflicts:
            assert target.texts().get(key) == text, "no late write is lost without being told"


@settings(max_examples=100, deadline=None)
@given(gaps, gaps, ops, gaps, st.booleans())
def test_the_way_back_brings_the_writes_to_the_new_index_into_the_old_one_and_replaces_no_newer_ones_there(
    rounds: list[Gaps], after: list[Gaps], last: list[Op], returned: list[Gaps], killed: bool
) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    before_switch(source, target, Writer(source, "s"), [*rounds, NONE])
    marks, given = {0: source.mark}, dict[str, int]()
    new, old = Writer(target, "new"), Writer(source, "old")
    withdrawn, conflicts = dict[str, int](), set[str]()

    def back(until: dict[int, int] | None, gaps: Gaps, acts: Acts) -> None:
        verdict_of = verdicts.Back(marks, until, {} if killed else given)
        tried: set[str] = set()

        def judge(here: Found | None, there: Found | None) -> Verdict:
            verdict = verdict_of(there, here)
            if verdict is Verdict.BRING and here is not None:
                tried.add(here.id)
            return verdict

        gave = a_round(target, source, judge, gaps, acts, {} if killed else withdrawn)
        given.update({key: seq_no for key, (_, seq_no) in gave.items()})
        conflicts.update(tried - gave.keys())

    for one in [*after, NONE]:
        back(None, one, new)
    got = source.texts()
    if killed:  # what one run gave back, and was deleted then, a later run takes for a late write: it is left
        got = {key: text for key, text in got.items() if key in target.docs}
    assert got == target.texts()

    # The alias goes back, and writers follow it.
    new(last)
    until = {0: source.mark}
    for one in [*returned, NONE]:
        back(until, one, old)
    for key in KEYS:
        text = old.latest.get(key, target.texts().get(key))
        # What was deleted in the source long before cannot be told from what was deleted there just now.
        told = (key in conflicts and key not in source.docs) or (killed and text is None)
        assert source.texts().get(key) == text or told, "no write after the return is replaced, and no delete undone"


@given(st.integers(0, 1 << 42), st.integers(1, (1 << 20) - 1))
def test_a_version_tells_what_it_is_a_copy_of_and_whether_others_wrote_since(seq_no: int, writes: int) -> None:
    version = version_of(seq_no)
    assert (seq_no_of(version), base_of(version)) == (seq_no, seq_no)
    assert (seq_no_of(version + writes), base_of(version + writes)) == (None, seq_no)
    assert version < version_of(seq_no + 1) < 1 << 63
    assert version + writes < version_of(seq_no + 1)
    assert (seq_no_of(writes), base_of(writes)) == (None, None), "what others made from the first"


def test_a_version_that_the_server_did_not_count_is_refused_with_the_remedy() -> None:
    verdicts.check_version(Found("a", 4, 1, 5, None, None, {}), "docs")
    with pytest.raises(
        ForeignVersions, match=r"index docs: document 'a' has the version 6.*version_type=external.*stop"
    ):
        verdicts.check_version(Found("a", 4, 1, 6, None, None, {}), "docs")


def test_a_copy_that_is_ahead_of_its_source_is_deleted_and_made_anew() -> None:
    source = Found("a", 3, 2, 1, None, None, {})
    assert verdicts.whole(source, Found("a", 0, 1, version_of(4), None, "f", {})) is Verdict.DROP
    assert verdicts.whole(source, Found("a", 0, 1, version_of(3), None, "f", {})) is Verdict.SAME
    assert verdicts.whole(source, Found("a", 0, 1, version_of(3), None, None, {})) is Verdict.LOOK
    assert verdicts.whole(source, Found("a", 0, 1, version_of(3) + 1, None, "f", {})) is Verdict.LEAVE


def test_a_fingerprint_is_of_model_and_text() -> None:
    known = {fingerprint(model, text) for model in ("a", "ab") for text in ("", "b", "bc", "ä😀")}
    assert len(known) == 8
    assert all(len(one) == 16 for one in known)


@pytest.mark.parametrize("others", [False, True], ids=["ours alone", "others too"])
def test_a_delete_before_the_switch_does_not_keep_a_late_document_away(others: bool) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    nobody = Writer(source, "nobody")
    source.index("a", "first")
    before_switch(source, target, nobody, [NONE])
    source.delete("a")
    before_switch(source, target, nobody, [NONE])
    assert not target.docs
    marks = {0: source.mark}
    source.index("a", "again")
    if others:
        target.index("a", "by others")
        target.delete("a")
    a_round(source, target, verdicts.Late(marks, {}), NONE, nobody, {})
    assert target.texts() == ({} if others else {"a": "again"})


def test_what_was_brought_over_and_deleted_by_others_stays_deleted_until_it_is_written_again() -> None:
    source, target = VersionedIndex(), VersionedIndex()
    nobody = Writer(source, "nobody")
    source.index("a", "late")
    brought: dict[str, tuple[int, int]] = {}
    late = verdicts.Late({0: -1}, brought)
    brought |= a_round(source, target, late, NONE, nobody, {})
    assert target.texts() == {"a": "late"}
    target.delete("a")
    brought |= a_round(source, target, late, NONE, nobody, {})
    assert target.texts() == {}
    source.index("a", "later")
    a_round(source, target, late, NONE, nobody, {})
    assert target.texts() == {"a": "later"}
