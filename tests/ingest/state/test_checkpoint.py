"""The checkpoint file is whole after a crash at any moment, and belongs to one job."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.errors import WrongJob
from aiomlcommons.ingest.state import checkpoint
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile

# A device that is always full.
FULL = Path("/dev/full")
HEADER: Mapping[str, Any] = {"job": "ingest", "source": "in.jsonl", "model": "mini", "batch": 64}
whole = st.integers(0, 2**40)
positions = st.none() | whole | st.text() | st.dictionaries(st.text(), st.lists(whole, max_size=3), max_size=3)
entries = st.builds(
    Checkpoint,
    done=whole,
    beyond=st.lists(st.tuples(whole, whole), max_size=4),
    start=whole,
    position=positions,
    sink=st.none() | st.dictionaries(st.text(), positions, max_size=3),
    counts=st.dictionaries(st.text(max_size=8), whole, max_size=4),
    finished=st.booleans(),
)


def write(path: Path, *noted: Checkpoint) -> None:
    opened, _ = CheckpointFile.open(path, HEADER)
    for saved in noted:
        opened.write(saved)
    opened.close()


def resumed(path: Path) -> Checkpoint:
    opened, saved = CheckpointFile.open(path, HEADER)
    opened.close()
    return saved


def lines(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_new_checkpoint_begins_at_the_beginning(tmp_path: Path) -> None:
    assert resumed(tmp_path / "job") == Checkpoint()
    assert lines(tmp_path / "job")[0] == HEADER


def test_a_checkpoint_can_be_looked_at_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "job"
    assert CheckpointFile.peek(path) is None
    path.touch()
    assert CheckpointFile.peek(path) is None
    write(path, Checkpoint(done=3), Checkpoint(done=7, beyond=[(9, 9)], finished=True))
    path.write_bytes(path.read_bytes() + b'{"torn')
    before = path.read_bytes()
    assert CheckpointFile.peek(path) == (HEADER, Checkpoint(done=7, beyond=[(9, 9)], finished=True))
    assert path.read_bytes() == before
    path.write_bytes(b'{"id": 1}\n')
    with pytest.raises(WrongJob, match="is not the checkpoint of a job; name another file"):
        CheckpointFile.peek(path)


def test_an_empty_file_is_a_new_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "job").touch()
    assert resumed(tmp_path / "job") == Checkpoint()


@settings(derandomize=True, max_examples=50, deadline=None, database=None)
@given(st.lists(entries, max_size=5))
def test_the_last_entry_is_where_a_job_goes_on(noted: list[Checkpoint]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "job", *noted)
        for _ in range(2):
            assert resumed(Path(folder) / "job") == (noted[-1] if noted else Checkpoint())


@settings(derandomize=True, max_examples=10, deadline=None, database=None)
@given(st.lists(entries, min_size=1, max_size=3), entries)
def test_an_entry_that_is_cut_off_at_any_byte_is_as_if_it_were_not_there(
    before: list[Checkpoint], last: Checkpoint
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job"
        write(path, *before)
        length = path.stat().st_size
        write_on(path, last)
        data = path.read_bytes()
        assert data[:length].endswith(b"\n")
        for cut in range(length, len(data)):
            path.write_bytes(data[:cut])
            assert resumed(path) == before[-1]
        path.write_bytes(data)
        assert resumed(path) == last


def write_on(path: Path, saved: Checkpoint) -> None:
    with path.open("ab") as file:
        CheckpointFile(path, file, HEADER).write(saved)


def test_a_checkpoint_that_was_cut_is_whole_again_after_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "job"
    write(path, Checkpoint(done=1), Checkpoint(done=2))
    path.write_bytes(path.read_bytes()[:-3])
    write(path, Checkpoint(done=5))
    assert [line["done"] for line in lines(path)[1:]] == [1, 5]


def test_a_last_line_of_which_the_disk_lost_a_part_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "job"
    write(path, Checkpoint(done=1), Checkpoint(done=2))
    path.write_bytes(path.read_bytes()[:-20] + bytes(19) + b"\n")
    assert resumed(path) == Checkpoint(done=1)


def test_a_header_alone_is_a_job_that_has_not_begun(tmp_path: Path) -> None:
    (tmp_path / "job").write_bytes(orjson.dumps(HEADER) + b"\n")
    assert resumed(tmp_path / "job") == Checkpoint()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({**HEADER, "model": "big"}, "another job: model was 'mini' and is 'big'; name another file, or remove it"),
        ({**HEADER, "batch": 8, "source": "b"}, "batch was 64 and is 8; source was 'in.jsonl' and is 'b'; name"),
        ({**HEADER, "hash": "1f"}, "hash was None and is '1f'"),
        ({"job": "ingest", "source": "in.jsonl", "model": "mini"}, "batch was 64 and is None"),
    ],
)
def test_the_checkpoint_of_another_job_is_refused_and_left_as_it_is(
    tmp_path: Path, header: Mapping[str, Any], words: str
) -> None:
    path = tmp_path / "job"
    write(path, Checkpoint(done=3))
    before = path.read_bytes()
    with pytest.raises(WrongJob) as caught:
        CheckpointFile.open(path, header)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_header_is_compared_as_json_keeps_it(tmp_path: Path) -> None:
    header = {**HEADER, "fields": ("a", "b")}
    for _ in range(2):
        CheckpointFile.open(tmp_path / "job", header)[0].close()


@pytest.mark.parametrize(
    "content",
    [
        b"id,text\n1,one\n",
        b'{"id": 1, "text": "one"}\n{"id": 2, "text": "two"}\n',
        b"[1, 2]\n",
        b"no end of a line",
        b"a first line\n" + orjson.dumps(dict(HEADER)) + b"\n",
        bytes(100),
        b"\xff\xfe\n",
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(WrongJob, match=r"data.csv is not the checkpoint of a job; name another file"):
        CheckpointFile.open(path, HEADER)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"beyond": None}, r"expected an array, got null @ \$\.beyond"),
        ({"beyond": [[1]]}, r"\$\.beyond\[0\]"),
        ({"done": "5"}, r"expected an integer, got '5' @ \$\.done"),
        ({"counts": {"read": "all"}}, r"\$\.counts\['read'\]"),
        ({"sink": [1]}, r"@ \$\.sink"),
        ({"pages": 1}, "missing or unknown keys: pages"),
        ([1, 2], "expected an object, got an array"),
        (7, "expected an object, got 7"),
        ({}, "missing or unknown keys: beyond, counts, done, finished, position, sink, start"),
    ],
    ids=str,
)
def test_a_damaged_entry_is_refused_and_left_as_it_is(tmp_path: Path, line: Any, why: str) -> None:
    path = tmp_path / "job"
    write(path, Checkpoint(done=1))
    saved = {**attrs.asdict(Checkpoint()), **line} if isinstance(line, dict) and line else line
    path.write_bytes(path.read_bytes() + orjson.dumps(saved) + b"\n")
    before = path.read_bytes()
    for look in (CheckpointFile.peek, lambda path: CheckpointFile.open(path, HEADER)):
        with pytest.raises(WrongJob, match=rf"job is damaged: .*{why}.*; remove it to begin anew"):
            look(path)
    assert path.read_bytes() == before


def test_an_entry_that_lacks_a_key_is_not_taken_for_one_with_its_default(tmp_path: Path) -> None:
    saved = attrs.asdict(Checkpoint(done=5, sink={"state": {"bytes": 7}, "dead_letters": 0}))
    del saved["sink"]
    (tmp_path / "job").write_bytes(orjson.dumps(HEADER) + b"\n" + orjson.dumps(saved) + b"\n")
    with pytest.raises(WrongJob, match=r"job is damaged: missing or unknown keys: sink; remove it"):
        resumed(tmp_path / "job")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    opened, _ = CheckpointFile.open(tmp_path / "job", HEADER)
    opened.close()
    opened = CheckpointFile(tmp_path / "job", FULL.open("ab"), HEADER)
    with pytest.raises(OSError, match=r"No space left.*job'"):
        opened.write(Checkpoint(done=1))
    with pytest.raises(OSError, match=r"No space left.*job'"):
        opened.close()
    (tmp_path / "job.tmp").symlink_to(FULL)
    with pytest.raises(OSError, match=r"No space left.*job\.tmp'"):
        CheckpointFile.open(tmp_path / "job", HEADER)


def test_a_long_checkpoint_file_is_rewritten_with_its_last_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "COMPACT", 2_000)
    path = tmp_path / "job"
    opened, _ = CheckpointFile.open(path, HEADER)
    for done in range(500):
        opened.write(Checkpoint(done=done))
        assert lines(path)[0] == HEADER
        assert lines(path)[-1]["done"] == done
        assert path.stat().st_size < 2_500
    opened.close()
    assert resumed(path) == Checkpoint(done=499)
    assert [found.name for found in tmp_path.iterdir()] == ["job"]


def test_a_checkpoint_file_that_cannot_be_rewritten_now_can_be_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "job"
    opened, _ = CheckpointFile.open(path, HEADER)
    opened.write(Checkpoint(done=1))
    monkeypatch.setattr(checkpoint, "COMPACT", 10)
    (tmp_path / "job.tmp").mkdir()
    with pytest.raises(OSError, match=r"job\.tmp"):
        opened.write(Checkpoint(done=2))
    (tmp_path / "job.tmp").rmdir()
    opened.write(Checkpoint(done=3))
    opened.close()
    assert resumed(path) == Checkpoint(done=3)


def test_a_checkpoint_file_is_never_overwritten_in_its_place(tmp_path: Path) -> None:
    path, other = tmp_path / "job", tmp_path / "other"
    write(path, Checkpoint(done=1))
    other.hardlink_to(path)
    before = other.read_bytes()
    opened, _ = CheckpointFile.open(path, HEADER)
    opened.close()
    assert other.read_bytes() == before
    assert not path.samefile(other)


def test_each_entry_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "job"
    opened, _ = CheckpointFile.open(path, HEADER)
    for done in range(3):
        opened.write(Checkpoint(done=done))
        assert lines(path)[-1]["done"] == done
    opened.close()


def test_an_entry_keeps_all_its_fields(tmp_path: Path) -> None:
    saved = Checkpoint(
        5, [(7, 9), (11, 11)], 3, {"offset": 17}, {"dead_letters": 2, "state": None}, {"read": 9}, finished=True
    )
    write(tmp_path / "job", saved)
    assert resumed(tmp_path / "job") == saved
    assert set(lines(tmp_path / "job")[-1]) == {field.name for field in attrs.fields(Checkpoint)}
