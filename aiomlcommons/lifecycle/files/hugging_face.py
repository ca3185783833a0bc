"""Derive the ``model_config`` of a local model from its Hugging Face and sentence-transformers files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import attrs

from aiomlcommons.api.model_configs import FrameworkType, ModelConfig, PoolingMode
from aiomlcommons.lifecycle.errors import BadPackage

MAX_CONFIG = 10_000_000
"""The maximum size of a JSON file in bytes; a larger one is not read, because it is no configuration."""

MAX_LENGTH = 10_000_000
"""The maximum plausible length in tokens; a tokenizer without a limit has 1e30, which is ignored."""

_DIMENSIONS = ("hidden_size", "dim", "d_model", "n_embd")
_POOLED = ("word_embedding_dimension", "embedding_dimension")
# The names in sentence-transformers, as values of ``pooling_mode`` and in keys such as ``pooling_mode_mean_tokens``.
_POOLING: Mapping[str, PoolingMode] = {
    "cls": PoolingMode.CLS,
    "max": PoolingMode.MAX,
    "mean": PoolingMode.MEAN,
    "mean_sqrt_len": PoolingMode.MEAN_SQRT_LEN,
    "weightedmean": PoolingMode.WEIGHTED_MEAN,
    "lasttoken": PoolingMode.LAST_TOKEN,
}


def read_config(path: Path | str) -> ModelConfig:
    """Read a model's configuration from its ``config.json``, its directory, or the directory of its zip file.

    Pooling and normalization are read from the files of sentence-transformers beside it, if there are any. Raises
    BadPackage, OSError.
    """
    path = Path(path)
    if path.is_dir():
        folder, file = path, None
    else:
        folder, file = path.parent, None if _is_zip(path) else path
    return _Files.of(folder, file).model_config()


def _is_zip(path: Path) -> bool:
    return path.suffix == ".zip" or zipfile.is_zipfile(path)


@attrs.frozen
class _Module:
    """A module of a sentence-transformers model: its kind (``Pooling``) and the folder of its configuration."""

    kind: str
    folder: Path


@attrs.frozen
class _Files:
    """The configuration files of a model; ``modules`` is None if there is no ``modules.json``."""

    folder: Path
    file: Path
    modules: tuple[_Module, ...] | None

    @classmethod
    def of(cls, folder: Path, file: Path | None) -> _Files:
        modules = _modules(folder)
        if file is None and not (folder / "config.json").exists():
            # The oldest models of sentence-transformers keep it in 0_Transformer.
            file = next((m.folder / "config.json" for m in modules or () if m.kind == "Transformer"), None)
        return cls(folder, file or folder / "config.json", modules)

    def model_config(self) -> ModelConfig:
        config, pooling = _object(self.file), self.pooling()
        sentence = self.modules is not None
        return ModelConfig(
            model_type=self.model_type(config),
            embedding_dimension=self.dimension(config, pooling),
            framework_type=FrameworkType.SENTENCE_TRANSFORMERS if sentence else FrameworkType.HUGGINGFACE_TRANSFORMERS,
            pooling_mode=_pooling_mode(*pooling) if pooling else None,
            normalize_result=True if self.last("Normalize") else None,
            model_max_length=self.max_length(),
            all_config=json.dumps(config, separators=(",", ":")),
        )

    def model_type(self, config: Mapping[str, Any]) -> str:
        found = config.get("model_type")
        if not isinstance(found, str) or not found:
            raise BadPackage(f'{self.file} has no model_type; add it, such as "model_type": "bert"')
        return found

    def dimension(self, config: Mapping[str, Any], pooling: tuple[Path, dict[str, Any]] | None) -> int:
        if dense := self.last("Dense"):
            # A Dense module changes the dimension of the pooled vector.
            return _size_of(dense.folder / "config.json", _object(dense.folder / "config.json"), ("out_features",))
        if pooling and not pooling[1].keys().isdisjoint(_POOLED):
            return _size_of(*pooling, _POOLED)
        return _size_of(self.file, config, _DIMENSIONS)

    def pooling(self) -> tuple[Path, dict[str, Any]] | None:
        listed = self.last("Pooling")
        file = (listed.folder if listed else self.folder / "1_Pooling") / "config.json"
        return (file, _object(file)) if listed or file.exists() else None

    def last(self, kind: str) -> _Module | None:
        return next((module for module in reversed(self.modules or ()) if module.kind == kind), None)

    def max_length(self) -> int | None:
        for name, key in (
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
        ):
            file = self.file.parent / name
            found = _object(file).get(key) if file.exists() else None
            if _is_count(found) and found <= MAX_LENGTH:
                return found
        return None


def _modules(folder: Path) -> tuple[_Module, ...] | None:
    file = folder / "modules.json"
    if not file.exists():
        return None
    listed = _json(file)
    if not isinstance(listed, list) or not all(isinstance(module, dict) and "type" in module for module in listed):
        raise BadPackage(f"{file} is not a list of modules, each with a type; download it again")
    return tuple(_Module(str(m["type"]).rpartition(".")[2], folder / str(m.get("path", ""))) for m in listed)


def _pooling_mode(file: Path, config: Mapping[str, Any]) -> PoolingMode | None:
    """Return the pooling mode, or None if unset; the server does not support several that are concatenated."""
    configured = config.get("pooling_mode") or [
        key.removeprefix("pooling_mode_")
        for key, on in config.items()
        if on is True and key.startswith("pooling_mode_")
    ]
    names = [str(name) for name in configured] if isinstance(configured, list) else [str(configured)]
    if len(names) > 1:
        raise BadPackage(
            f"{file} has several pooling modes ({', '.join(names)}); the server supports one: pass a model_config"
        )
    modes = [_POOLING.get(name.removesuffix("_tokens").removesuffix("_token")) for name in names]
    if None in modes:
        raise BadPackage(f"{file}: the server does not support pooling_mode {names[0]!r}, only {', '.join(_POOLING)}")
    return modes[0] if modes else None


def _size_of(file: Path, config: Mapping[str, Any], keys: tuple[str, ...]) -> int:
    for key in keys:
        found = config.get(key)
        if _is_count(found):
            return found
        if found is not None:
            raise BadPackage(f"{file}: {key} is {found!r}; set it to the dimension of the model's vectors")
    raise BadPackage(f"{file} has no {' or '.join(keys)}; add the dimension of the model's vectors")


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _object(file: Path) -> dict[str, Any]:
    found = _json(file)
    if not isinstance(found, dict):
        raise BadPackage(f"{file} is not a JSON object; download it again")
    return found


def _json(file: Path) -> Any:
    if not file.is_file():
        raise BadPackage(f"{file} does not exist; copy it from the model's page, or pass a model_config")
    if file.stat().st_size > MAX_CONFIG:
        raise BadPackage(f"{file} has more than {MAX_CONFIG:,} bytes, so it is no configuration; give config.json")
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadPackage(f"{file} is not JSON ({error}); download it again") from error
