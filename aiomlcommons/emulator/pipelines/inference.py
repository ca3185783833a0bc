"""What ``ml_inference`` processors have in common: the maps between a model and documents, and the request to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.predict import MLInput
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.options import Options

DEFAULT_OUTPUT = "inference_results"
NO_INPUT = "Please provide model input when using a local model in ML Inference Processor"
UNEQUAL = "The length of output_map and the length of input_map do no match."
TOO_MANY = (
    "The number of prediction task setting in this process is {count}. It exceeds the max_prediction_tasks of {most}. "
    "Please reduce the size of input_map or increase max_prediction_tasks."
)
NO_FIELD = "Cannot find field name defined from input map: {name}"
NO_PATH = "An unexpected error occurred: model inference output cannot find field name: {path}"
PLACE = re.compile(r"\$\{(model_config|input_map|ml_inference)\.([^}]+)\}")
OF_INPUT = MLInput.__annotations__.keys()


@attrs.frozen
class Inference:
    """A model with the maps of what it is given and where its answers go, a pair for each prediction."""

    model_id: str
    inputs: list[Mapping[str, str]]
    outputs: list[Mapping[str, str]]
    config: Mapping[str, str]
    function: str
    model_input: str | None
    whole_answer: bool
    ignores_missing: bool

    async def ask(self, cluster: Cluster, given: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the answer of the model to values by their names. Raises Refused."""
        parameters = {**self.config, **given}
        if self.model_input is None:
            asked = MLInput(parameters=parameters)
        else:
            asked = _asked(_filled(self.model_input, self.config, given, parameters))
        return await asking.answered(cluster, self.model_id, asked, texts=self.function != FunctionName.REMOTE)

    def value(self, answer: Mapping[str, Any], path: str | None) -> Any:
        """Return what a path names in an answer; without one all of it. Raises Refused where there is no such thing."""
        if self.whole_answer:
            return self._at(answer, path)
        tensors = answer["inference_results"][0]["output"]
        found = [self._at(one["dataAsMap"], path) if "dataAsMap" in one else one.get("data") for one in tensors]
        return found[0] if len(found) == 1 else found

    def _at(self, answer: Any, path: str | None) -> Any:
        if path is None:
            return answer
        found = answer[path] if path in answer else look_up(answer, path)
        if found is not None:
            return found
        if self.ignores_missing:
            return answer
        raise refused(500, "runtime_exception", NO_PATH.format(path=path))


def read(options: Options) -> Inference:
    """Return the maps of a configuration. Raises Refused."""
    config = options.maybe_map("model_config") or {}
    function = (options.maybe_text("function_name") or FunctionName.REMOTE).upper()
    is_remote = function == FunctionName.REMOTE
    inference = Inference(
        options.text("model_id"),
        list(options.list("input_map")),
        list(options.list("output_map")),
        {name: text_of(value) for name, value in config.items()},
        function,
        options.maybe_text("model_input"),
        options.flag("full_response_path", default=not is_remote),
        options.flag("ignore_missing"),
    )
    most = options.whole("max_prediction_tasks", 10)
    if not is_remote and inference.model_input is None:
        raise options.illegal(NO_INPUT)
    if len(inference.inputs) > most:
        raise options.illegal(TOO_MANY.format(count=len(inference.inputs), most=most))
    if inference.inputs and inference.outputs and len(inference.inputs) != len(inference.outputs):
        raise options.illegal(UNEQUAL)
    return inference


def text_of(value: Any) -> str:
    """Return a value as a parameter of a model: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value).decode()


def inputs_of(source: Any, wanted: Mapping[str, str], *, ignores_missing: bool) -> dict[str, str]:
    """Return the values of a document that a model is given. Raises Refused for one that is missing."""
    found = {}
    for name, path in wanted.items():
        value = look_up(source, path)
        if value is not None and value != []:
            found[name] = text_of(value)
        elif not ignores_missing:
            raise illegal(NO_FIELD.format(name=path))
    return found


def _filled(template: str, config: Any, given: Any, parameters: Any) -> str:
    values = {"model_config": config, "input_map": given, "ml_inference": {**parameters, "parameters": parameters}}

    def place(found: re.Match[str]) -> str:
        value = values[found[1]].get(found[2])
        return found[0] if value is None else text_of(value)

    return PLACE.sub(place, template)


def _asked(payload: str) -> MLInput:
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise illegal(f"Invalid payload: {payload}") from None
    return MLInput(**{name: value for name, value in body.items() if name in OF_INPUT})
