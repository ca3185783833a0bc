"""Which files of a repository make a model, and what is said of one that has none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons import BadPackage, FileModel, InvalidRequest
from aiomlcommons.lifecycle.files.hub_repository import HubRepository
from tests.support.copies import copies

TOKEN = "hf_0123456789abcdef"
SENTENCE = ("config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json", "README.md", "model.safetensors")


def repository(filename: str | None = None) -> HubRepository:
    return HubRepository("a/b", None, filename)


@pytest.mark.parametrize(
    ("files", "model_format", "found"),
    [
        (["onnx/model.onnx", "onnx/model_O4.onnx", "model.safetensors"], None, "onnx/model.onnx"),
        (["model.onnx", "model_quantized.onnx"], None, "model.onnx"),
        (["model.onnx", "model.pt"], None, "model.onnx"),
        (["model.onnx", "model.pt"], "TORCH_SCRIPT", "model.pt"),
        (["onnx/model.onnx", "traced.pt"], "TORCH_SCRIPT", "traced.pt"),
        (["deep/er/traced.pt", "x.bin"], None, "deep/er/traced.pt"),
    ],
)
def test_the_usual_model_is_taken_or_the_only_one(files: list[str], model_format: str | None, found: str) -> None:
    assert repository().model_file(files, model_format) == found


@pytest.mark.parametrize(
    ("files", "filename", "model_format", "words"),
    [
        (SENTENCE, None, None, r"only weights \(model.safetensors\), but OpenSearch needs TorchScript \(.pt\) or ONNX"),
        (
            SENTENCE,
            None,
            None,
            "export it with `optimum-cli export onnx --model a/b --library transformers .* and give FileModel",
        ),
        (["README.md"], None, None, r"a/b has README.md, but OpenSearch needs"),
        ([], None, None, "a/b has no files, but OpenSearch needs"),
        ([f"{n}.bin" for n in range(20)], None, None, r"\(0.bin, .*, 15.bin and 12 more\)"),
        (["a.onnx", "b.onnx"], None, None, "a/b has 2 models; give the one to take as filename=: a.onnx, b.onnx"),
        (["a.onnx", "b.onnx"], "c.onnx", None, "a/b has no model c.onnx; did you mean 'a.onnx' or 'b.onnx'"),
        (["a.onnx"], "model.safetensors", None, "a/b has no model model.safetensors; a.onnx"),
        (["model.onnx"], None, "TORCH_SCRIPT", "a/b has no TORCH_SCRIPT model; it has model.onnx"),
    ],
)
def test_what_is_wrong_and_what_to_do_is_said(
    files: Sequence[str], filename: str | None, model_format: str | None, words: str
) -> None:
    with pytest.raises(BadPackage, match=words):
        repository(filename).model_file(files, model_format)


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="model_format must be TORCH_SCRIPT or ONNX, not 'torch_script'"):
        repository().model_file(["model.pt"], "torch_script")


def test_a_model_is_taken_with_what_describes_it_and_its_data() -> None:
    files = [*SENTENCE, "onnx/model.onnx", "onnx/model.onnx_data", "onnx/config.json", "tokenizer_config.json"]
    assert repository().needed(files, "onnx/model.onnx") == {
        "onnx/model.onnx": "model.onnx",
        "onnx/model.onnx_data": "model.onnx_data",
        "config.json": "config.json",
        "tokenizer.json": "tokenizer.json",
        "tokenizer_config.json": "tokenizer_config.json",
        "modules.json": "modules.json",
        "1_Pooling/config.json": "1_Pooling/config.json",
    }
    beside = repository().needed(["x/model.pt", "x/config.json", "x/tokenizer.json"], "x/model.pt")
    assert sorted(beside.values()) == ["config.json", "model.pt", "tokenizer.json"]


def test_what_the_server_could_not_use_is_refused_before_the_download() -> None:
    with pytest.raises(BadPackage, match=r"a/b has no tokenizer\.json"):
        repository().needed(["model.onnx", "vocab.txt"], "model.onnx")
    files = ["model.onnx", "model.pt", "tokenizer.json", "2_Dense/config.json"]
    with pytest.raises(BadPackage, match=r"the Dense module of 2_Dense/config\.json, which OpenSearch does not apply"):
        repository().needed(files, "model.onnx")
    assert "2_Dense/config.json" in repository().needed(files, "model.pt")


@pytest.mark.parametrize(
    "files",
    [
        ["../../model.onnx", "tokenizer.json"],
        ["/etc/model.onnx", "tokenizer.json"],
        ["a/../../model.onnx", "a/../../tokenizer.json"],
        ["..\\\\model.onnx", "tokenizer.json"],
    ],
)
def test_a_name_that_leaves_the_cache_is_refused_before_the_download(files: list[str]) -> None:
    with pytest.raises(BadPackage, match="could be unpacked outside the model's folder"):
        repository().needed(files, files[0])


@pytest.mark.parametrize("pasted", ["a/b", " a/b ", "https://huggingface.co/a/b", "hf.co/a/b?x=1", "hf://a/b"])
def test_a_repository_is_named_as_it_is_pasted(pasted: str) -> None:
    spec = FileModel.from_hub(pasted)
    assert (spec.path, spec.name) == (HubRepository("a/b"), "a/b")
    assert str(spec.path) == "a/b"


@pytest.mark.parametrize(
    "address", ["https://huggingface.co/a/b/tree/v1.0", "hf.co/a/b/blob/v1.0/x.onnx", "hf://a/b@v1.0"]
)
def test_the_revision_of_an_address_counts_unless_another_is_given(address: str) -> None:
    assert FileModel.from_hub(address).path == HubRepository("a/b", "v1.0")
    assert str(FileModel.from_hub(address, revision="main").path) == "a/b@main"


@pytest.mark.parametrize("name", ["revision", "filename", "endpoint", "cache_dir"])
def test_a_field_of_another_type_is_refused_at_once(name: str) -> None:
    wrong: dict[str, Any] = {name: 5}
    with pytest.raises(InvalidRequest, match=f"^{name} must be a string, not int$"):
        FileModel.from_hub("a/b", **wrong)
    assert FileModel.from_hub("a/b", cache_dir=Path("models")).name == "a/b"


@pytest.mark.parametrize(
    "name", [None, 5, b"a/b", "", "a/b/c", "a b", "../x", "a/..", "/abs/path", "https://example.com/a/b"]
)
def test_what_is_no_repository_is_refused_at_once(name: Any) -> None:
    with pytest.raises(
        InvalidRequest, match=re.escape(f"repo_id must be like 'sentence-transformers/all-MiniLM-L6-v2', not {name!r}")
    ):
        FileModel.from_hub(name)


@pytest.mark.parametrize(
    "endpoint", ["", "huggingface.co", "https://me:pass@mirror", "ftp://mirror", "https://m?token=x"]
)
def test_a_mirror_is_an_address_without_a_password(endpoint: str) -> None:
    assert FileModel.from_hub("a/b", endpoint="https://mirror/hf/").name == "a/b"
    with pytest.raises(
        InvalidRequest, match=r"endpoint must be like 'https://huggingface.co', without a user or pass"
    ) as caught:
        FileModel.from_hub("a/b", endpoint=endpoint)
    assert "pass@" not in str(caught.value)


def test_the_other_fields_are_those_of_a_file_model() -> None:
    spec = FileModel.from_hub("a/b", name="mine", function_name="SPARSE_ENCODING", group="g", version="2")
    assert (spec.name, spec.function_name, spec.group, spec.version) == ("mine", "SPARSE_ENCODING", "g", "2")
    with pytest.raises(TypeError, match="nmae"):
        FileModel.from_hub("a/b", nmae="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_the_token_is_not_shown() -> None:
    spec = FileModel.from_hub("a/b", token=TOKEN)
    assert all(TOKEN not in text for text in (repr(spec), str(spec), repr(spec.path), str(spec.path)))
    assert copies(spec) == [spec] * 3
