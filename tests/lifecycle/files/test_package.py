"""A model's zip file: what is refused before it is sent, and how a directory becomes one."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import ModelFormat
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.lifecycle.files import package as limits
from aiomlcommons.lifecycle.files.archive import pack
from aiomlcommons.lifecycle.files.package import Package, check_package, sha256
from tests.support.paths import MODELS

NOISE = hashlib.shake_256(b"noise").digest(20_001_000)
GOOD: Mapping[str, bytes] = {"model.pt": b"weights" * 300, "tokenizer.json": b'{"version": "1.0"}' * 20}
ONNX: Mapping[str, bytes] = {"model.onnx": b"graph", "tokenizer.json": b"{}"}


def zipped(to: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(to, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return to


def laid(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def refused(path: Path, words: str, **how: str) -> None:
    with pytest.raises(BadPackage, match=words) as caught:
        check_package(path, **how)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    assert ";" in str(caught.value), "it says what to do"


@pytest.mark.parametrize(
    ("name", "kind", "model_file"),
    [
        ("tiny-dense.zip", FunctionName.TEXT_EMBEDDING, "dense.pt"),
        ("tiny-sparse.zip", FunctionName.SPARSE_ENCODING, "sparse.pt"),
        ("tiny-cross-encoder.zip", FunctionName.TEXT_SIMILARITY, "cross-encoder.pt"),
        ("tiny-tokenizer.zip", FunctionName.SPARSE_TOKENIZE, None),
    ],
)
def test_real_models_pass(name: str, kind: FunctionName, model_file: str | None) -> None:
    members = (model_file, "tokenizer.json") if model_file else ("tokenizer.json",)
    size = (MODELS / name).stat().st_size
    assert check_package(MODELS / name, function_name=kind) == Package(
        MODELS / name, size, model_file, ModelFormat.TORCH_SCRIPT, members
    )


def test_the_format_is_that_of_the_file_inside(tmp_path: Path) -> None:
    onnx = zipped(tmp_path / "m.zip", ONNX)
    assert check_package(onnx).model_format is ModelFormat.ONNX
    assert check_package(onnx, model_format="ONNX").model_file == "model.onnx"
    refused(onnx, "model.onnx is ONNX, not TORCH_SCRIPT", model_format="TORCH_SCRIPT")
    refused(zipped(tmp_path / "t.zip", GOOD), "model.pt is TORCH_SCRIPT, not ONNX", model_format="ONNX")


def test_a_tokenizer_without_a_model_has_the_format_that_is_asked_for() -> None:
    found = check_package(MODELS / "tiny-tokenizer.zip", function_name="SPARSE_TOKENIZE", model_format="ONNX")
    assert (found.model_file, found.model_format) == (None, ModelFormat.ONNX)


def test_kinds_and_formats_that_are_made_of_no_file_are_invalid(tmp_path: Path) -> None:
    good = zipped(tmp_path / "m.zip", GOOD)
    with pytest.raises(InvalidRequest, match="a REMOTE model cannot be registered from a file; TEXT_EMBEDDING, "):
        check_package(good, function_name=FunctionName.REMOTE)
    with pytest.raises(InvalidRequest, match="not 'torch'"):
        check_package(good, model_format="torch")  # type: ignore[arg-type]


def test_metrics_correlation_needs_no_tokenizer(tmp_path: Path) -> None:
    alone = zipped(tmp_path / "m.zip", {"model.pt": b"m"})
    assert check_package(alone, function_name=FunctionName.METRICS_CORRELATION).members == ("model.pt",)
    refused(alone, "holds no tokenizer.json")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no files"),
        ({"tokenizer.json": b"{}"}, "no model that ends in .pt or .onnx; trace the model"),
        (
            {"model.pth": b"m", "tokenizer.json": b"{}"},
            "model.pth: the server does not recognize .pth.*rename it to .pt",
        ),
        ({"model.PT": b"m", "tokenizer.json": b"{}"}, "model.PT: .*lower-case extension"),
        ({"model.ONNX": b"m", "tokenizer.json": b"{}"}, "model.ONNX: .*lower-case extension"),
        ({"model.safetensors": b"m", "tokenizer.json": b"{}"}, "model.safetensors: it holds weights only"),
        ({"pytorch_model.bin": b"m", "tokenizer.json": b"{}"}, "pytorch_model.bin: it holds weights only"),
        ({**GOOD, "model.onnx": b"m"}, r"several models \(model.pt, model.onnx\)"),
        ({**GOOD, "__MACOSX/._model.pt": b"m"}, r"several models \(model.pt, __MACOSX/._model.pt\)"),
        ({"m/model.pt": b"m", "m/tokenizer.json": b"{}"}, "look for m/model.pt in a folder; pack the files themselves"),
        ({"model.pt": b"m", "m/tokenizer.json": b"{}"}, "look for m/tokenizer.json in a folder"),
        ({"model.pt": b"m", "vocab.txt": b"a"}, "holds no tokenizer.json; write it"),
        ({"model.pt": b"", "tokenizer.json": b"{}"}, "model.pt is empty"),
        ({"model.pt": b"m", "tokenizer.json": b""}, "tokenizer.json is empty"),
    ],
)
def test_files_of_which_the_server_makes_no_model(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    refused(zipped(tmp_path / "m.zip", files), words)


@pytest.mark.parametrize(
    "name", ["../x.json", "a/../../x", "/etc/passwd", "C:/x", "C:x", "..\\x", "a\\b", "./x", "a//b", "x\0.json"]
)
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    # zipfile cleans what it writes, so the name is put in afterwards.
    mark = "Q" * len(name)
    whole = zipped(tmp_path / "m.zip", {**GOOD, mark: b"x"}).read_bytes()
    assert whole.count(mark.encode()) == 2
    (tmp_path / "m.zip").write_bytes(whole.replace(mark.encode(), name.encode()))
    refused(tmp_path / "m.zip", "outside the model's folder")


def test_plain_folders_and_names_pass(tmp_path: Path) -> None:
    files = {**GOOD, "1_Pooling/": b"", "1_Pooling/config.json": b"{}", "..x": b"x", "ä b.json": b"{}"}
    found = check_package(zipped(tmp_path / "m.zip", files))
    assert found.members == ("model.pt", "tokenizer.json", "1_Pooling/config.json", "..x", "ä b.json")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(zipped(tmp_path / "m.zip", GOOD), "a") as archive:
        link = zipfile.ZipInfo("link.json")
        link.external_attr = (kind | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "m.zip", "'link.json' is a link or a device")


def test_encrypted_members(tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.zip", GOOD)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(whole)
    refused(path, "'model.pt' is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_to_pack_that_the_server_does_not_know(tmp_path: Path, method: int) -> None:
    refused(zipped(tmp_path / "m.zip", GOOD, method), "compression method that the server cannot read")


def test_names_that_are_there_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped(tmp_path / "m.zip", GOOD), "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("tokenizer.json", "{}")
    refused(tmp_path / "m.zip", "holds 'tokenizer.json' 2 times")


def test_no_file_no_zip_and_nothing_in_it(tmp_path: Path) -> None:
    refused(tmp_path / "none.zip", "does not exist")
    refused(tmp_path, "is a directory; pack it first")
    (tmp_path / "zero.zip").touch()
    refused(tmp_path / "zero.zip", "is empty")
    (tmp_path / "page.zip").write_text("<html>404</html>")
    refused(tmp_path / "page.zip", "is not a complete zip file")


def test_every_truncated_zip_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "m.zip", GOOD).read_bytes()
    for length in range(1, len(whole)):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        refused(tmp_path / "cut.zip", "not a complete zip file|damaged")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_changed_byte_of_a_members_content_is_found(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "m.zip", {"model.pt": NOISE[:200], "tokenizer.json": b"{}"}, method)
    whole = path.read_bytes()
    # What Deflate cannot make smaller it keeps as it is, behind five bytes of its own.
    start = whole.index(b"model.pt") + len("model.pt") + (5 if method == zipfile.ZIP_DEFLATED else 0)
    for place in range(start, start + 200):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        refused(path, "model.pt is damaged")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_garbled_zips_are_good_or_bad_but_no_surprise(changes: list[tuple[int, int]], onnx: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder, "m.zip"), ONNX if onnx else GOOD)
        garbled = bytearray(path.read_bytes())
        for place, value in changes:
            garbled[-1 - place % len(garbled)] = value
        path.write_bytes(garbled)
        with suppress(BadPackage):
            assert check_package(path).size == len(garbled)


@pytest.mark.parametrize("after", [0, 40])
def test_members_in_the_same_place_are_refused(tmp_path: Path, after: int) -> None:
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
        archive.getinfo("tokenizer.json").header_offset = archive.getinfo("model.pt").header_offset + after
    refused(path, "holds 'model.pt' and 'tokenizer.json' in the same place")


def test_what_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "m.zip", {**GOOD, "zeros": bytes(1_000_000)})
    assert check_package(path)
    monkeypatch.setattr(limits, "HARMLESS", 900_000)
    refused(path, "as a zip bomb does")
    monkeypatch.setattr(limits, "HARMLESS", 100_000_000)
    monkeypatch.setattr(limits, "MAX_UNPACKED", 900_000)
    refused(path, "as a zip bomb does")


def test_a_package_that_is_exactly_as_large_as_is_allowed_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "m.zip", {**GOOD, "zeros": bytes(1_000_000)})
    unpacked = 1_000_000 + sum(map(len, GOOD.values()))
    for name in ("MAX_UNPACKED", "HARMLESS"):
        with monkeypatch.context() as limited:
            limited.setattr(limits, name, unpacked)
            assert check_package(path)
            limited.setattr(limits, name, unpacked - 1)
            refused(path, f"has {path.stat().st_size:,} bytes and unpacks to {unpacked:,}, as a zip bomb does")


def test_a_package_may_unpack_to_so_many_times_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {**GOOD, "model.pt": bytes(100_000)}
    path = zipped(tmp_path / "m.zip", content)
    monkeypatch.setattr(limits, "HARMLESS", 0)
    ratio = sum(map(len, content.values())) / path.stat().st_size
    monkeypatch.setattr(limits, "MAX_RATIO", ratio)
    assert check_package(path)
    monkeypatch.setattr(limits, "MAX_RATIO", ratio - 0.01)
    refused(path, "as a zip bomb does")


def test_a_central_directory_that_is_exactly_as_large_as_is_allowed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "m.zip", GOOD)
    with zipfile.ZipFile(path) as archive:
        size = sum(46 + len(info.filename) for info in archive.infolist())
    monkeypatch.setattr(limits, "MAX_DIRECTORY", size)
    assert check_package(path)
    monkeypatch.setattr(limits, "MAX_DIRECTORY", size - 1)
    refused(path, f"its directory has {size} bytes; at most {size - 1} are read")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "m.zip", {**GOOD, "zeros": bytes(limits.HARMLESS)})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *args: pytest.fail("a member was read"))
    refused(path, "as a zip bomb does")


def test_large_members_and_directories_take_no_memory(tmp_path: Path) -> None:
    large = zipped(tmp_path / "m.zip", {**GOOD, "zeros": bytes(30_000_000)})
    stored = zipped(tmp_path / "s.zip", {**GOOD, "zeros": bytes(30_000_000)}, zipfile.ZIP_STORED)
    many = zipped(tmp_path / "d.zip", {**GOOD, **{f"{number:05}{'n' * 900}": b"" for number in range(3_000)}})
    with measured() as peak:
        assert check_package(large)
        assert check_package(stored)
        refused(many, r"its directory has 2,853,\d+ bytes; at most 1,000,000 are read")
    assert peak[0] < 2_500_000


@contextmanager
def measured() -> Iterator[list[int]]:
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_packed_directories_pass(tmp_path: Path) -> None:
    files = {**GOOD, "idf.json": b"{}", "config.json": b'{"model_type": "bert"}'}
    to = pack(laid(tmp_path / "in", files), tmp_path / "m.zip")
    assert to == tmp_path / "m.zip"
    assert check_package(to).members == ("config.json", "idf.json", "model.pt", "tokenizer.json")
    with zipfile.ZipFile(to) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "m.zip"]


def test_hidden_files_folders_and_the_zip_itself_are_left_out(tmp_path: Path) -> None:
    folder = laid(tmp_path, {**GOOD, ".gitattributes": b"x", "onnx/model.onnx": b"m", "1_Pooling/config.json": b"{}"})
    first = sha256(pack(folder, folder / "m.zip"))
    assert check_package(folder / "m.zip").members == ("model.pt", "tokenizer.json")
    assert sha256(pack(folder, folder / "m.zip")) == first


def test_links_to_files_are_packed_as_files(tmp_path: Path) -> None:
    laid(tmp_path / "blobs", {"1": GOOD["model.pt"], "2": GOOD["tokenizer.json"]})
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.pt").symlink_to("../blobs/1")
    (tmp_path / "snapshot" / "tokenizer.json").symlink_to("../blobs/2")
    linked = pack(tmp_path / "snapshot", tmp_path / "linked.zip")
    assert linked.read_bytes() == pack(laid(tmp_path / "plain", GOOD), tmp_path / "plain.zip").read_bytes()


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\:\0", exclude_categories=["Cc"]), max_size=8)
CONTENT = st.dictionaries(NAMES.map("x{}.json".format), st.binary(max_size=50), max_size=4)


@settings(max_examples=40, deadline=None)
@given(CONTENT, st.randoms(use_true_random=False), st.sampled_from([0o600, 0o755]))
def test_the_same_files_give_the_same_bytes(extra: dict[str, bytes], shuffle: random.Random, mode: int) -> None:
    files = {**extra, **GOOD}
    names = list(files)
    shuffle.shuffle(names)
    with tempfile.TemporaryDirectory() as folder:
        one = laid(Path(folder, "one"), files)
        other = laid(Path(folder, "other"), {name: files[name] for name in names})
        for name in names:
            os.utime(other / name, (0, shuffle.randrange(2**33)))
            (other / name).chmod(mode)
        packed = [sha256(pack(each, Path(folder, f"{each.name}.zip"))) for each in (one, other)]
        assert packed[0] == packed[1]
        changed = laid(other, {"tokenizer.json": b"{}"})
        assert sha256(pack(changed, Path(folder, "changed.zip"))) != packed[0]


def test_the_bytes_are_the_same_on_every_machine_and_in_every_version(tmp_path: Path) -> None:
    laid(tmp_path / "in", {"model.pt": b"m", "tokenizer.json": b"{}"})
    expected = "9087bcbbc4947fe097e5edf289ad103b1aeda6d480f15f7fd5f5e2d53b3d4ef0"
    assert sha256(pack(tmp_path / "in", tmp_path / "m.zip")) == expected


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no model that ends in"),
        ({"model.pt": b"m"}, "holds no tokenizer.json"),
        ({**GOOD, "model.onnx": b"m"}, "several models"),
        ({"model.pt": b"", "tokenizer.json": b"{}"}, "model.pt is empty"),
        ({**GOOD, "a\\b": b"m"}, "outside the model's folder"),
    ],
)
def test_directories_that_would_be_refused_are_not_packed(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "m.zip").write_text("the old one")
    with pytest.raises(BadPackage, match=words) as caught:
        pack(laid(tmp_path / "in", files), tmp_path / "m.zip")
    assert str(caught.value).startswith(str(tmp_path / "in"))
    assert ".part" not in str(caught.value), "it was refused before anything was written"
    assert (tmp_path / "m.zip").read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "m.zip"]


def test_what_was_packed_is_checked_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_DIRECTORY", 60)
    with pytest.raises(BadPackage, match=r"in cannot be packed: .*its directory has"):
        pack(laid(tmp_path / "in", GOOD), tmp_path / "m.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_kinds_and_formats_reach_the_check_of_what_is_packed(tmp_path: Path) -> None:
    folder = laid(tmp_path / "in", {"tokenizer.json": b"{}", "idf.json": b"{}"})
    assert check_package(
        pack(folder, tmp_path / "m.zip", function_name="SPARSE_TOKENIZE"), function_name="SPARSE_TOKENIZE"
    )
    with pytest.raises(BadPackage, match="not ONNX"):
        pack(laid(tmp_path / "pt", GOOD), tmp_path / "n.zip", model_format="ONNX")
    with pytest.raises(BadPackage, match="is not a directory"):
        pack(tmp_path / "m.zip", tmp_path / "n.zip")
    assert not (tmp_path / "n.zip").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    folder = laid(tmp_path / "in", {**GOOD, "model.pt": bytes(200_000)})
    (tmp_path / "m.zip").write_text("the old one")
    code = (
        "import resource, sys; from aiomlcommons.lifecycle.files.archive import pack\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: pack(sys.argv[1], sys.argv[2])\n"
        "except OSError as error: print(error.strerror)\n"
    )
    asked = [sys.executable, "-c", code, str(folder), str(tmp_path / "m.zip")]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "File too large\n"
    assert (tmp_path / "m.zip").read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "m.zip"]


def test_what_was_packed_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append((os.fstat(number).st_size, (tmp_path / "m.zip").exists()))
    )
    packed = pack(laid(tmp_path / "in", GOOD), tmp_path / "m.zip")
    assert synced == [(packed.stat().st_size, False)]


def test_a_file_too_large_for_the_first_zip_format_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1_000)
    folder = laid(tmp_path / "in", {**GOOD, "model.pt": bytes(5_000)})
    assert check_package(pack(folder, tmp_path / "m.zip")).members == ("model.pt", "tokenizer.json")


def test_packing_reads_files_in_pieces(tmp_path: Path) -> None:
    folder = laid(tmp_path / "in", {**GOOD, "model.pt": bytes(30_000_000)})
    with measured() as peak:
        pack(folder, tmp_path / "m.zip")
    assert peak[0] < 4_000_000


def test_the_hash_is_that_of_the_whole_file_and_tells_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(NOISE)
    told: list[int] = []
    with measured() as peak:
        assert sha256(tmp_path / "m.zip", progress=told.append) == hashlib.sha256(NOISE).hexdigest()
    assert told == [CHUNK_SIZE, 2 * CHUNK_SIZE, 20_001_000]
    assert peak[0] < 2.5 * CHUNK_SIZE
    (tmp_path / "zero").touch()
    assert sha256(str(tmp_path / "zero")) == hashlib.sha256(b"").hexdigest()
