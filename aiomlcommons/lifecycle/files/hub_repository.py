"""A repository on Hugging Face: which of its files make a model that a cluster takes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from os import PathLike
from pathlib import PurePosixPath

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.lifecycle.files.package import FORMATS, OUTSIDE, TOKENIZER, checked_format, escapes
from aiomlcommons.masking import shown
from aiomlcommons.net.secret import Secret, as_secret
from aiomlcommons.spelling import did_you_mean, some_of

_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_ENDPOINT = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?\Z")
# Where the libraries that export models put them. Other files of these formats may be variants for one processor.
_USUAL = ("onnx/model.onnx", "model.onnx", "model.pt")
_WEIGHTS = (".safetensors", ".bin", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf")
_DESCRIBING = (
    "config.json",
    TOKENIZER,
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
)
# The modules of sentence-transformers have a folder each: 1_Pooling, 2_Dense, 3_Normalize.
_MODULE = re.compile(r"\d+_(?P<kind>\w+)/config\.json")
_NAMED = 8


@attrs.frozen
class HubRepository:
    """The files of a model on Hugging Face, downloaded when they are needed; ``FileModel.from_hub`` makes one.

    Raises InvalidRequest for what is no id of a repository.
    """

    repo_id: str
    revision: str | None = None
    filename: str | None = None
    token: Secret | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_secret), eq=False, repr=False, kw_only=True
    )
    endpoint: str | None = attrs.field(default=None, repr=shown, kw_only=True)
    cache_dir: str | PathLike[str] | None = attrs.field(default=None, eq=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for name in ("revision", "filename", "endpoint", "cache_dir"):
            value = getattr(self, name)
            if not isinstance(value, str | None) and not (name == "cache_dir" and isinstance(value, PathLike)):
                raise InvalidRequest(f"{name} must be a string, not {type(value).__name__}")
        if not isinstance(self.repo_id, str) or not _ID.fullmatch(self.repo_id) or ".." in self.repo_id:
            raise InvalidRequest(f"repo_id must be like 'sentence-transformers/all-MiniLM-L6-v2', not {self.repo_id!r}")
        if self.endpoint is not None and not _ENDPOINT.match(self.endpoint):
            # The libraries that download the files log the URL as it is.
            raise InvalidRequest(
                "endpoint must be like 'https://huggingface.co', without a user or password: give a token="
            )

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}" if self.revision else self.repo_id

    def model_file(self, files: Collection[str], model_format: str | None) -> str:
        """Return the model among the files of the repository.

        Raises BadPackage if there is none, or several, InvalidRequest for a format that there is not.
        """
        known = checked_format(model_format)
        wanted = {suffix for suffix, kind in FORMATS.items() if known in {None, kind}}
        models = sorted(file for file in files if PurePosixPath(file).suffix in wanted)
        if self.filename is not None:
            if self.filename in models:
                return self.filename
            raise BadPackage(
                f"{self} has no model {self.filename}; {did_you_mean(self.filename, models, _list(models))}"
            )
        if usual := next((file for file in _USUAL if file in models), None):
            return usual
        if len(models) != 1:
            raise BadPackage(self._several(models) if models else self._none(files, model_format))
        return models[0]

    def needed(self, files: Collection[str], model_file: str) -> Mapping[str, str]:
        """Map each file that a model needs to its name in the folder to pack, where the model lies at the top.

        Raises BadPackage if the tokenizer is missing, or if the model lacks a module that belongs to it.
        """
        folder = PurePosixPath(model_file).parent
        found = {model_file: PurePosixPath(model_file).name}
        for data in (f"{model_file}_data", f"{model_file}.data"):
            if data in files:
                found[data] = PurePosixPath(data).name
        for name in _DESCRIBING:
            # The tokenizer and the configuration of an export may lie beside it, or once for all exports at the top.
            if (place := next((place for place in (name, str(folder / name)) if place in files), None)) is not None:
                found[place] = name
        if TOKENIZER not in found.values():
            raise BadPackage(f"{self} has no {TOKENIZER}, without which OpenSearch splits no text; take another model")
        for module, kind in _modules(files):
            if kind == "Dense" and model_file.endswith(".onnx"):
                raise BadPackage(
                    f"{self}: {model_file} is followed by the Dense module of {module}, which OpenSearch does not "
                    "apply; trace the whole model to TorchScript, and give that as FileModel(path=...)"
                )
            found[module] = module
        if outside := next((file for file in found if escapes(file)), None):
            raise BadPackage(f"{self}: {outside!r} {OUTSIDE}")
        return found

    def _several(self, models: Collection[str]) -> str:
        return f"{self} has {len(models)} models; give the one to take as filename=: {_list(models)}"

    def _none(self, files: Collection[str], model_format: str | None) -> str:
        """Return what is wrong with a repository that has no model, and what to do."""
        if others := [file for file in files if model_format and PurePosixPath(file).suffix in FORMATS]:
            return f"{self} has no {model_format} model; it has {_list(others)}"
        weights = [file for file in files if file.endswith(_WEIGHTS)]
        has = f"only weights ({_list(weights)})" if weights else f"{_list(files) or 'no files'}"
        export = f"optimum-cli export onnx --model {self.repo_id} --library transformers --task feature-extraction DIR"
        return (
            f"{self} has {has}, but OpenSearch needs TorchScript (.pt) or ONNX (.onnx): export it with `{export}` and "
            "give FileModel(path=DIR), or take a pretrained model, which `aiomlcommons models pretrained` lists"
        )


def _modules(files: Collection[str]) -> Iterator[tuple[str, str]]:
    for file in sorted(files):
        if found := _MODULE.fullmatch(file):
            yield file, found["kind"]


def _list(files: Collection[str]) -> str:
    return some_of(sorted(files), _NAMED)
