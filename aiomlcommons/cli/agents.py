"""``aiomlcommons agents execute``: ask an agent."""

from __future__ import annotations

import argparse
from typing import Any

import orjson

from aiomlcommons.api.agent_runs import AgentMessage, AgentTensors
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.tables import print_json
from aiomlcommons.wire import convert


async def execute(options: argparse.Namespace) -> None:
    """Ask an agent, and print its response: the text, or with --json all of it."""
    parameters = dict(map(_parameter, options.parameter))
    if options.question is not None:
        parameters["question"] = options.question
    if not parameters:
        raise UsageError("there is nothing to ask: give a QUESTION, or --parameter NAME=VALUE")
    async with cluster(options) as ml:
        answer = await ml.agents.execute(options.id, parameters=parameters)
    words = "" if options.json else _words(answer)
    print(words) if words else print_json(convert.unstructure(answer))


def _parameter(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise UsageError(f"--parameter must be NAME=VALUE, not {word!r}")
    try:
        return name, orjson.loads(text)
    except ValueError:
        return name, text


def _words(answer: object) -> str:
    """Return the text of a response, without ids of the memory; empty if it has none."""
    if isinstance(answer, AgentMessage):
        return "\n".join(str(block["text"]) for block in answer.message.content or () if "text" in block)
    if not isinstance(answer, AgentTensors):
        return ""
    outputs = [one for result in answer.inference_results or () for one in result.output or ()]
    named = [one for one in outputs if getattr(one, "name", None) not in {"memory_id", "parent_interaction_id"}]
    found = [getattr(one, "result", None) or (getattr(one, "dataAsMap", None) or {}).get("response") for one in named]
    return "\n".join(map(str, filter(None, found)))
