"""Rounds between writers that do anything at any moment: what the verdicts alone lose, bring back or leave over.

The writes of a round are those of ``Changes``, on indices that keep versions as OpenSearch does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
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
Judge: TypeAlias = Callable[[Found | None, Found | None], Verdict]
# What one writer does in a gap of a round: "w" writes, "d" deletes.
ops = st.lists(st.tuples(st.sampled_from("wd"), st.sampled_from(KEYS)), max_size=4)
# The gaps of some rounds: before, between the two snapshots, and before the writes of the round.
gaps = st.lists(st.tuples(ops, ops, ops), min_size=1, max_size=4)


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


def carry_out(
    here: dict[str, Found],
    there: dict[str, Found],
    into: VersionedIndex,
    judge: Judge,
    deleted: dict[str, int],
    versions: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, tuple[int, int]]:
    """Do what verdicts say; return what was written, with its version and what it is of."""
    brought: dict[str, tuple[int, int]] = {}
    for key in sorted({*here, *there}):
        one, other = here.get(key), there.get(key)
        verdict = judge(one, other)
        if verdict is Verdict.DELETE:
            assert other is not None
            if into.delete_found(other):
                deleted[key] = other.version + 1
        elif verdict is Verdict.DROP:
            assert other is not None
            into.drop(other, dropped(other.version))
        elif verdict is Verdict.BRING:
            assert one is not None
            at: int | None = versions.get(key, NOTHING)
            if not into.copy(key, one.fields["text"], versions.get(key, NOTHING), "f"):
                at = dropped_at(into.conflict(key))
                if at is not None and not into.copy(key, one.fields["text"], at, "f"):
                    at = None
            if at is not None:
                brought[key] = (at, one.seq_no)
        elif verdict in (Verdict.COPY, Verdict.LOOK):
            assert one is not None
            into.copy(key, one.fields["text"], version_of(one.seq_no), fingerprint("m", key))
        elif verdict in (Verdict.WRITE, Verdict.COMPARE):
            assert one is not None
            done = (
                into.create(key, one.fields["text"], "f")
                if other is None
                else into.over(other, one.fields["text"], "f")
            )
            if done:
                brought[key] = (1 if other is None else other.version + 1, one.seq_no)
    return brought


def before_switch(
    source: VersionedIndex, target: VersionedIndex, writer: Writer, rounds: list[tuple[list[Op], ...]]
) -> None:
    for before, between, during in rounds:
        writer(before)
        there = snapshot(target)
        writer(between)
        here = snapshot(source)
        writer(during)
        carry_out(here, there, target, verdicts.whole, {})


@settings(max_examples=100, deadline=None)
@given(gaps, st.booleans())
def test_a_round_without_writers_makes_the_target_what_the_source_is_whatever_was_before(
    rounds: list[tuple[list[Op], ...]], forgets: bool
) -> None:
    source, target = VersionedIndex(forgets), VersionedIndex(forgets)
    before_switch(source, target, Writer(source, "s"), [*rounds, ([], [], [])])
    assert target.texts() == source.texts()
    for key, (found, _) in target.docs.items():
        assert seq_no_of(found.version) == source.docs[key][0].seq_no, "which proves that they are equal"
    assert not carry_out(snapshot(source), snapshot(target), target, verdicts.whole, {}), "nothing is left to do"


@settings(max_examples=100, deadline=None)
@given(gaps, ops, gaps, st.data())
def test_after_the_switch_no_write_to_the_new_index_is_replaced_and_no_late_one_is_lost(
    rounds: list[tuple[list[Op], ...]], late: list[Op], after: list[tuple[list[Op], ...]], data: st.DataObject
) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    before_switch(source, target, Writer(source, "s"), [*rounds, ([], [], [])])
    mark = source.mark
    straggler, writer = Writer(source, "late"), Writer(target, "new")
    straggler(late)
    brought: dict[str, tuple[int, int]] = {}
    deleted, conflicts = dict[str, int](), set[str]()
    # What writers still sent to the old index when others wrote to the new one: nobody knows which came later.
    straying: set[str] = set()
    for before, between, during in [*after, ([], [], [])]:
        writer(before)
        ids = {key for key, (found, _) in source.docs.items() if found.seq_no > mark}
        judge = verdicts.Late(ids, brought, deleted)
        there = snapshot(target)
        stray = data.draw(ops) if between else []
        straying |= {key for _, key in stray}
        straggler(stray)
        writer(between)
        here = snapshot(source)
        writer(during)
        conflicts |= {key for key in here if judge(here[key], there.get(key)) is Verdict.CONFLICT}
        brought |= carry_out(here, there, target, judge, deleted)
    for key, text in writer.latest.items():
        if key not in straying:
            assert target.texts().get(key) == text, "nothing replaces what the new index took, and no delete is undone"
        elif text is not None:
            assert target.texts().get(key) in {text, straggler.latest.get(key)}
    for key, text in straggler.latest.items():
        if key not in writer.latest and key not in conflicts:
            assert target.texts().get(key) == text, "no late write is lost without being told"


@settings(max_examples=100, deadline=None)
@given(gaps, gaps, st.booleans())
def test_the_way_back_brings_the_writes_to_the_new_index_into_the_old_one(
    rounds: list[tuple[list[Op], ...]], after: list[tuple[list[Op], ...]], killed: bool
) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    before_switch(source, target, Writer(source, "s"), [*rounds, ([], [], [])])
    mark, writer, given = source.mark, Writer(target, "new"), dict[str, int]()
    for before, between, during in [*after, ([], [], [])]:
        writer(before)
        late = {key for key, (found, _) in source.docs.items() if found.seq_no > mark}
        back = verdicts.Back(late, (), {} if killed else given)
        old = snapshot(source)
        writer(between)
        new = snapshot(target)
        writer(during)

        def judge(new: Found | None, old: Found | None, back: verdicts.Back = back) -> Verdict:
            return back(old, new)

        gave = carry_out(new, old, source, judge, {})
        given |= {key: seq_no for key, (_, seq_no) in gave.items()}
    got = source.texts()
    if killed:  # what one run gave back, and was deleted then, a later run takes for a late write: it is left
        got = {key: text for key, text in got.items() if key in target.docs}
    assert got == target.texts()


@settings(max_examples=100, deadline=None)
@given(gaps, gaps, ops, gaps)
def test_after_the_alias_went_back_every_document_is_as_its_last_writer_made_it(
    rounds: list[tuple[list[Op], ...]],
    after: list[tuple[list[Op], ...]],
    last: list[Op],
    back_again: list[tuple[list[Op], ...]],
) -> None:
    source, target = VersionedIndex(), VersionedIndex()
    before_switch(source, target, Writer(source, "s"), [*rounds, ([], [], [])])
    mark, writer, given, deleted = source.mark, Writer(target, "w"), dict[str, int](), dict[str, int]()
    conflicts: set[str] = set()

    def round_of(until: int | None, before: list[Op], between: list[Op], during: list[Op]) -> None:
        writer(before)
        late = {key for key, (found, _) in source.docs.items() if found.seq_no > mark}
        newer = {key for key, (found, _) in source.docs.items() if until is not None and found.seq_no > until}
        back = verdicts.Back(late, newer, given, is_back=until is not None)

        new = snapshot(target)
        writer(between)
        old = snapshot(source)
        writer(during)
        # As ``Changes`` asks once more before it deletes, or writes over something.
        by_now = {key for key, (found, _) in source.docs.items() if until is not None and found.seq_no > until}

        def judge(new: Found | None, old: Found | None) -> Verdict:
            verdict = back(old, new)
            over = verdict in (Verdict.COMPARE, Verdict.DELETE) and old is not None and old.id in by_now
            return Verdict.LEAVE if over else verdict

        gave = carry_out(new, old, source, judge, deleted, dict(deleted))
        given.update({key: seq_no for key, (_, seq_no) in gave.items()})
        conflicts.update(key for key in new if judge(new[key], old.get(key)) is Verdict.BRING and key not in gave)

    for gap in after:
        round_of(None, *gap)
    until = source.mark
    writer(last)
    writer.index = source  # the alias goes back
    for gap in [*back_again, ([], [], [])]:
        round_of(until, *gap)
    for key, text in writer.latest.items():
        # What was deleted in the source long before cannot be told from what was deleted there just now.
        assert source.texts().get(key) == text or (key in conflicts and key not in source.docs)


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
    source.index("a", "first")
    carry_out(snapshot(source), snapshot(target), target, verdicts.whole, {})
    source.delete("a")
    carry_out(snapshot(source), snapshot(target), target, verdicts.whole, {})
    assert not target.docs
    mark = source.mark
    source.index("a", "again")
    if others:
        target.index("a", "by others")
        target.delete("a")
    late = {key for key, (found, _) in source.docs.items() if found.seq_no > mark}
    carry_out(snapshot(source), snapshot(target), target, verdicts.Late(late, {}), {})
    assert target.texts() == ({} if others else {"a": "again"})
