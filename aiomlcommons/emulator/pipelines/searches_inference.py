"""The processors ``ml_inference`` of searches: a model changes the query, or adds what it thinks to hits."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import orjson

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.json_paths import look_up, put
from aiomlcommons.emulator.pipelines.documents_inference import set_at
from aiomlcommons.emulator.pipelines.inference import DEFAULT_OUTPUT, Inference, inputs_of, read, text_of
from aiomlcommons.emulator.pipelines.options import Options
from aiomlcommons.emulator.pipelines.searches import After, Before, Body, makes
from aiomlcommons.emulator.querying.errors import not_emulated

NO_INPUT = (
    "Please provide at least one non-empty input_map or optional_input_map for ML Inference Search Request Processor"
)
NO_FIELD = "cannot find field: {path} in query string: {query}"
PLACE = re.compile(r'"?\$\{([^}]+)\}"?')


@makes("before", "ml_inference")
def of_requests(options: Options) -> Before:
    """Ask a model about the query, and put its answer into the query, or into a template that becomes the query."""
    template, inference = options.maybe_text("query_template"), read(options)
    if not inference.inputs:
        raise options.illegal(NO_INPUT)

    async def before(cluster: Cluster, body: Body) -> Body:
        for inputs, outputs in zip(inference.inputs, inference.outputs, strict=True):
            for path in inputs.values():
                if look_up(body, path) is None:
                    if inference.ignores_missing:
                        return body
                    raise illegal(NO_FIELD.format(path=path, query=to_json(body).decode()))
            answer = await inference.ask(cluster, inputs_of(body, inputs, ignores_missing=False))
            found = {name: inference.value(answer, path) for name, path in outputs.items()}
            body = _from_template(template, found) if template else _replaced(body, found)
        return body

    return before


def _replaced(body: Body, found: Mapping[str, Any]) -> Body:
    changed = copy.deepcopy(body)
    for path, value in found.items():
        put(changed, path, value)
    return changed


def _from_template(template: str, found: Mapping[str, Any]) -> Body:
    def place(match: re.Match[str]) -> str:
        if match[1] not in found:
            return match[0]
        value = found[match[1]]
        quoted = match[0].startswith('"')
        return orjson.dumps(value).decode() if quoted and isinstance(value, str) else text_of(value)

    body: Body = orjson.loads(PLACE.sub(place, template))
    return body


@makes("after", "ml_inference")
def of_responses(options: Options) -> After:
    """Ask a model about hits, each by itself or all at once, and add its answers to them."""
    inference, overrides = read(options), options.flag("override")
    one_to_one = options.flag("one_to_one")

    async def after(cluster: Cluster, _: Body, hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        hits = copy.deepcopy(hits)
        for place in range(max(len(inference.inputs), 1)):
            inputs = inference.inputs[place] if inference.inputs else {}
            outputs = inference.outputs[place] if inference.outputs else {DEFAULT_OUTPUT: None}
            if any(name.startswith(("$", "_request", "ext.")) for name in (*inputs.values(), *outputs)):
                raise not_emulated("paths beyond the hits in ml_inference of responses")
            groups = [[hit] for hit in hits] if one_to_one else [hits] if hits else []
            for group in groups:
                await _add(cluster, inference, group, inputs, outputs, overrides=overrides, one_to_one=one_to_one)
        return hits

    return after


async def _add(
    cluster: Cluster,
    inference: Inference,
    hits: list[dict[str, Any]],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str | None],
    *,
    overrides: bool,
    one_to_one: bool,
) -> None:
    """Ask about hits and add the answer: of many hits, each of as many answers to its own."""
    values = {name: [look_up(hit["_source"], path) for hit in hits] for name, path in inputs.items()}
    given = {name: text_of(found[0] if one_to_one else found) for name, found in values.items()}
    answer = await inference.ask(cluster, given)
    for name, path in outputs.items():
        value = inference.value(answer, path)
        several = isinstance(value, list) and len(value) == len(hits) and not one_to_one
        for number, hit in enumerate(hits):
            if overrides or look_up(hit["_source"], name) is None:
                set_at(hit["_source"], name, value[number] if several else value)
