"""The processor ``ml_inference`` of documents: any model, with maps of what it is given and where its answers go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.pipelines.drafts import Draft, Work, makes
from aiomlcommons.emulator.pipelines.inference import DEFAULT_OUTPUT, Inference, inputs_of, read, text_of
from aiomlcommons.emulator.pipelines.options import Options


@makes("ml_inference")
def ml_inference(options: Options) -> Work:
    """Ask a model about each document. A field that is there stays as it is, unless ``override`` says otherwise."""
    inference, overrides = read(options), options.flag("override")

    async def work(cluster: Cluster, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            try:
                await _infer(cluster, inference, draft, overrides=overrides)
            except Refused as error:
                draft.error = error

    return work


async def _infer(cluster: Cluster, inference: Inference, draft: Draft, *, overrides: bool) -> None:
    for place in range(max(len(inference.inputs), 1)):
        outputs = inference.outputs[place] if inference.outputs else {DEFAULT_OUTPUT: None}
        wanted = {
            name: path
            for name, path in outputs.items()
            if overrides or not inference.outputs or look_up(draft.source, name) is None
        }
        if not wanted:
            continue
        if inference.inputs:
            given = inputs_of(draft.source, inference.inputs[place], ignores_missing=inference.ignores_missing)
        else:
            given = {name: text_of(value) for name, value in draft.source.items()}
        answer = await inference.ask(cluster, given)
        for name, path in wanted.items():
            set_at(draft.source, name, inference.value(answer, path))


def set_at(source: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path with dots; objects on the way are made."""
    *above, last = path.split(".")
    node = source
    for name in above:
        below = node.get(name)
        node[name] = node = below if isinstance(below, dict) else {}
    node[last] = value
