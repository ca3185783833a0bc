"""What a server does with documents before it indexes them: which of their fields which models embed, and into which.

Read from the processors of ingest pipelines, and from the semantic fields of a mapping.

https://docs.opensearch.org/latest/ingest-pipelines/processors/text-embedding/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.ingest.sinks import IndexSink

# The processors of neural-search that embed whole fields, and whether their vectors are sparse.
EMBEDDING = {"text_embedding": False, "sparse_encoding": True}
# The texts that a processor, or a semantic field, sends to a model at once, unless it is told.
BATCH_SIZE, SEMANTIC_BATCH_SIZE = 1, 10
# Other processors that make a field, and those that leave each field one of the documents, changed or not.
MAKERS = {"set", "append", "split"}
IN_PLACE = {"lowercase", "uppercase", "trim", "html_strip", "gsub", "convert", "join", "sort", "urldecode", "bytes"}
IN_PLACE |= {"date", "remove", "fingerprint", "user_agent", "geoip", "ip2geo"}
# What a processor that runs a pipeline says for all processors of that.
_FOR_ALL = ("if", "ignore_failure", "on_failure")
# What the objects of a list call the vector of a text.
_OF_CHUNKS = {False: "knn", True: "sparse_encoding"}


@attrs.frozen
class Output:
    """A field that the server writes vectors into; ``listed`` tells that it holds one for each text of a list."""

    field: str
    sparse: bool
    model_id: str
    listed: bool = False

    @property
    def name(self) -> str:
        """What the objects of a list call their vectors."""
        return _OF_CHUNKS[self.sparse]


@attrs.frozen
class Step:
    """A processor, or a semantic field, that sends texts to a model: so many at once.

    ``sparse`` is the kind of its vectors, None if it is not known. ``forgives`` tells that a document is indexed
    although its embedding failed, ``texts`` that the model is sent nothing but texts.
    """

    name: str
    model_id: str
    batch_size: int
    sparse: bool | None = None
    forgives: bool = False
    texts: bool = True


@attrs.define
class Plan:
    """What is known of the embedding for a sink: its steps, the fields it reads of each document, and those it writes.

    ``mappings`` are those of the index. ``inputs`` are the fields that each document must have. ``sure`` is false from
    a processor on whose work is not known, such as a script: it may make fields which later ones embed. ``missing`` are
    the pipelines that processors run, and that there are not.
    """

    sink: IndexSink
    mappings: Mapping[str, Any] = attrs.field(factory=dict)
    steps: list[Step] = attrs.field(factory=list)
    inputs: list[str] = attrs.field(factory=list)
    outputs: list[Output] = attrs.field(factory=list)
    sure: bool = True
    missing: list[str] = attrs.field(factory=list)
    # By the names of the fields that processors write, whether these hold lists.
    _made: dict[str, bool] = attrs.field(factory=dict)

    @property
    def where(self) -> str:
        """What embeds, as messages name it."""
        return f"the pipeline {self.sink.pipeline!r}" if self.sink.pipeline else f"index {self.sink.name}"

    @property
    def batch_size(self) -> int:
        """The most texts in each request to a model."""
        return min((step.batch_size for step in self.steps), default=1)

    @property
    def model_ids(self) -> list[str]:
        """The models, each once."""
        return list(dict.fromkeys(step.model_id for step in self.steps))

    def add(self, processors: Iterable[Any], others: Mapping[str, Any], within: tuple[str, ...] = ()) -> None:
        """Add what processors do, in their order; ``others`` are the pipelines that they may name."""
        for processor in processors:
            for name, config in processor.items():
                if name == "pipeline":
                    self._runs(config, others, within)
                else:
                    self._add(name, config)

    def add_semantic(self, batch_size: int = SEMANTIC_BATCH_SIZE) -> None:
        """Add the semantic fields of the mapping, whose vectors the server puts where it likes."""
        for path, model_id in semantic_fields(self.mappings):
            self.steps.append(Step(f"the semantic field {path!r}", model_id, batch_size))
            self._need(path)

    def _runs(self, config: Mapping[str, Any], others: Mapping[str, Any], within: tuple[str, ...]) -> None:
        """Add what another pipeline does, under the conditions of the processor that runs it."""
        inner, for_all = str(config.get("name")), {key: config[key] for key in _FOR_ALL if key in config}
        if inner in others and inner not in within:
            processors = others[inner].get("processors", ())
            under = [{name: {**one, **for_all} for name, one in processor.items()} for processor in processors]
            self.add(under, others, (*within, inner))
            return
        self.sure = False
        if inner not in within and "{{" not in inner and not for_all and not config.get("ignore_missing_pipeline"):
            self.missing.append(inner)

    def _add(self, name: str, config: Mapping[str, Any]) -> None:
        model_id = config.get("model_id")
        if name in EMBEDDING and isinstance(model_id, str):
            self._embeds(name, config, model_id)
        elif name == "text_chunking":
            for source, target in _pairs(config.get("field_map", {})):
                self._reads(source, config)
                self._made[target] = True
        elif isinstance(model_id, str):  # ml_inference, text_image_embedding: what they read may be left out
            forgives = _forgives(config)
            self.steps.append(Step(f"its processor {name}", model_id, BATCH_SIZE, forgives=forgives, texts=False))
            self.sure = self.sure and name != "ml_inference"
        elif isinstance(made := config.get("target_field", config.get("field") if name in MAKERS else None), str):
            self._made.setdefault(made, name == "split")
        elif name not in IN_PLACE:
            self.sure = False

    def _embeds(self, name: str, config: Mapping[str, Any], model_id: str) -> None:
        sparse, size = EMBEDDING[name], int(config.get("batch_size", BATCH_SIZE))
        self.steps.append(Step(f"its processor {name}", model_id, size, sparse, _forgives(config)))
        for source, target in _pairs(config.get("field_map", {})):
            self._reads(source, config)
            above, dot, _ = source.rpartition(".")  # the vector is beside its text, in the same object
            self.outputs.append(Output(f"{above}{dot}{target}", sparse, model_id, self._made.get(source, False)))

    def _reads(self, source: str, config: Mapping[str, Any]) -> None:
        if "if" not in config:
            self._need(source)

    def _need(self, field: str) -> None:
        if self.sure and field not in self._made and field not in self.inputs:
            self.inputs.append(field)


def semantic_fields(mappings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths of the semantic fields of a mapping, with their models."""
    for name, field in mappings.get("properties", {}).items():
        if field.get("type") == "semantic" and "model_id" in field:
            yield f"{before}{name}", field["model_id"]
        yield from semantic_fields(field, f"{before}{name}.")


def _pairs(field_map: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths of the fields of a map, which may be nested, with the names of their targets."""
    for source, target in field_map.items():
        if isinstance(target, Mapping):
            yield from _pairs(target, f"{before}{source}.")
        else:
            yield f"{before}{source}", str(target)


def _forgives(config: Mapping[str, Any]) -> bool:
    return bool(config.get("ignore_failure") or config.get("on_failure"))
