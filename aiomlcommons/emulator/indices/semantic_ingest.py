"""Semantic fields of documents: their texts are cut where that is wanted, and embedded by the model of each field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.indices.semantic import INFO
from aiomlcommons.emulator.indices.semantic_mappings import SPARSE, function_of
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines import pruning
from aiomlcommons.emulator.pipelines.chunking import Cutter, cutter_of
from aiomlcommons.emulator.pipelines.drafts import Draft, Processor
from aiomlcommons.emulator.pipelines.field_maps import nested
from aiomlcommons.emulator.pipelines.options import Options, java_type
from aiomlcommons.emulator.querying.scope import Field

KIND = "system_ingest_processor_semantic_field"
BATCH_SIZE = 10
NO_TEXT = "Expect the semantic field at path: {path} to be a string but found: class {kind}."
PRUNED = {"prune_type": "max_ratio", "prune_ratio": 0.1}


@attrs.define
class _Text:
    """The text of a semantic field in a document, the object beside it that holds what is made of it, and its cuts."""

    field: Field
    info: dict[str, Any]
    texts: list[str]
    is_cut: bool

    @property
    def model_id(self) -> str:
        return str(self.field.spec["model_id"])


def processor_of(fields: Mapping[str, Field], batch_size: int = BATCH_SIZE) -> Processor | None:
    """Return the processor of the semantic fields among these; None if there are none."""
    semantic = {path: field for path, field in fields.items() if field.spec.get("type") == "semantic"}
    if not semantic:
        return None

    async def work(cluster: Cluster, drafts: Sequence[Draft]) -> None:
        texts = [text for draft in drafts for text in _texts(draft, semantic)]
        for model_id in dict.fromkeys(text.model_id for text in texts):
            await _embed(cluster, model_id, [text for text in texts if text.model_id == model_id])

    return Processor(KIND, work, batch_size)


def _texts(draft: Draft, semantic: Mapping[str, Field]) -> list[_Text]:
    draft.source = nested(draft.source)
    return [text for path, field in semantic.items() for text in _found(draft.source, path, path, field)]


def _found(node: Any, left: str, path: str, field: Field) -> Iterator[_Text]:
    if isinstance(node, list):
        for one in node:
            yield from _found(one, left, path, field)
    elif isinstance(node, dict):
        name, _, rest = left.partition(".")
        if rest:
            yield from _found(node.get(name), rest, path, field)
        elif (value := node.get(name)) is not None:
            if not isinstance(value, str):
                raise illegal(NO_TEXT.format(path=path, kind=java_type(value)))
            info = node[str(field.spec.get("semantic_info_field_name", f"{name}{INFO}"))] = {}
            cutters = _cutters(field.spec.get("chunking"))
            yield _Text(field, info, _cut(value, cutters), bool(cutters))


def _cutters(chunking: Any) -> list[Cutter]:
    if not chunking:
        return []
    given = chunking if isinstance(chunking, list) else [{}]
    algorithms = [{one["algorithm"]: one.get("parameters", {})} if one else {} for one in given]
    return [cutter_of(Options("semantic", {}), algorithm) for algorithm in algorithms]


def _cut(value: str, cutters: Sequence[Cutter]) -> list[str]:
    texts = [value]
    for cutter in cutters:
        texts = [passage for text in texts for passage in cutter.cut(text, cutter.most, len(texts))]
    return texts


async def _embed(cluster: Cluster, model_id: str, texts: Sequence[_Text]) -> None:
    model = asking.found(cluster, model_id)
    function, every = function_of(model_id, model), [each for text in texts for each in text.texts]
    ask: Callable[..., Any] = asking.sparse if function in SPARSE else asking.dense
    made = iter(await ask(cluster, model_id, every) if every else ())
    prefix = f"{FunctionName.REMOTE}_" if model.algorithm == FunctionName.REMOTE else ""
    for text in texts:
        own = [_pruned(text.field, next(made), function) for _ in text.texts]
        if text.is_cut:
            text.info["chunks"] = [
                {"text": passage, "embedding": one} for passage, one in zip(text.texts, own, strict=True)
            ]
        else:
            (text.info["embedding"],) = own
        text.info["model"] = {"name": model.name, "id": model_id, "type": f"{prefix}{function}"}


def _pruned(field: Field, made: Any, function: str) -> Any:
    """Return an embedding; of weights those that are not small beside the largest, unless the field says otherwise."""
    if function not in SPARSE:
        return made
    config = {**PRUNED, **field.spec.get("sparse_encoding_config", {})}
    if config["prune_type"] == "none":
        return made
    return pruning.split(str(config["prune_type"]), float(config["prune_ratio"]), made)[0]
