"""LLM interfaces of agents: prompting with JSON replies (ReAct), or function calling as in OpenAI's chat API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from aiomlcommons.api.agents import ToolSpec
from aiomlcommons.api.memory import MemoryMessage
from aiomlcommons.emulator.agents.agent_store import tool_name
from aiomlcommons.emulator.agents.tools import known, schema_of, to_json
from aiomlcommons.emulator.json_paths import look_up

# Not the server's own prompt: only the model reads it.
PROMPT = """Answer the question. Use a tool where that helps.

Tools:
${parameters.tool_descriptions}

Answer with nothing but JSON, either {"thought": "...", "action": "one of ${parameters.tool_names}", "action_input":
"..."} or {"thought": "...", "final_answer": "..."}.

${parameters.chat_history}Question: ${parameters.question}
${parameters.scratchpad}"""

OFFER = ', "tools": [${parameters._tools:-}], "parallel_tool_calls": false'
_FENCED = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)


@attrs.frozen
class Decision:
    """What the model decided: to give the ``final`` answer, or to call a tool."""

    text: str
    final: str | None = None
    tool: str = ""
    tool_input: str = ""
    call_id: str = ""


class Prompted:
    """ReAct prompting: tools, history and all steps so far in one prompt; the model replies with JSON or plain text."""

    def begin(self, tools: Sequence[ToolSpec], past: Sequence[MemoryMessage]) -> dict[str, str]:
        """Return the parameters of the first request."""
        history = "".join(f"Human: {one.input}\nAI: {one.response}\n" for one in past)
        return {
            "tool_descriptions": "\n".join(f"- {tool_name(tool)}: {_description(tool)}" for tool in tools),
            "tool_names": ", ".join(map(tool_name, tools)),
            "chat_history": history,
            "scratchpad": "",
        }

    def read(self, answer: Mapping[str, Any], parameters: Mapping[str, str]) -> Decision:
        """Return the decision in a model's response."""
        path = parameters.get("response_filter")
        text = to_json(look_up(answer, path) if path else answer.get("response", answer))
        found = _object(text)
        if "action" in found and "final_answer" not in found:
            return Decision(text, tool=str(found["action"]), tool_input=to_json(found.get("action_input", "")))
        return Decision(text, final=to_json(found.get("final_answer", text)))

    def after(self, decision: Decision, result: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters that add a tool's result to the next request."""
        return {"scratchpad": f"{parameters['scratchpad']}{decision.text}\n{decision.tool} gave: {result}\n\n"}


class OpenAIChat:
    """Function calling of ``openai/v1/chat/completions``: tools are offered and called in fields of their own."""

    def begin(self, tools: Sequence[ToolSpec], past: Sequence[MemoryMessage]) -> dict[str, str]:
        """Return the parameters of the first request."""
        history = [m for one in past for m in (_message("user", one.input), _message("assistant", one.response))]
        return {
            "no_escape_params": "_chat_history,_tools,_interactions,tool_configs",
            "tool_choice": "auto",
            "tool_configs": OFFER if tools else "",
            "_tools": ", ".join(map(_offered, tools)),
            "_chat_history": "".join(f"{message}, " for message in history),
            "_interactions": "",
            "chat_history": "",
            "scratchpad": "",
        }

    def offer(self, parameters: Mapping[str, str], tools: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Return the parameters that add the client's own tools."""
        more = [to_json({"type": "function", "function": tool}) for tool in tools]
        offered = ", ".join(filter(None, [parameters["_tools"], *more]))
        return {"_tools": offered, "tool_configs": OFFER if offered else ""}

    def read(self, answer: Mapping[str, Any], _: Mapping[str, str]) -> Decision:
        """Return the decision in a model's response."""
        message = look_up(answer, "$.choices[0].message") or {}
        call = look_up(message, "$.tool_calls[0]")
        if look_up(answer, "$.choices[0].finish_reason") != "tool_calls" or call is None:
            return Decision(to_json(message), final=to_json(message.get("content")))
        name, given = look_up(call, "$.function.name"), look_up(call, "$.function.arguments")
        return Decision(to_json(message), tool=str(name), tool_input=to_json(given), call_id=str(call.get("id")))

    def after(self, decision: Decision, result: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters that add a tool's result to the next request."""
        result_message = to_json({"role": "tool", "tool_call_id": decision.call_id, "content": result})
        return {"_interactions": f"{parameters['_interactions']}, {decision.text}, {result_message}"}


INTERFACES: Mapping[str | None, Prompted | OpenAIChat] = {
    None: Prompted(),
    "openai/v1/chat/completions": OpenAIChat(),
}


def _message(role: str, content: str | None) -> str:
    return to_json({"role": role, "content": content})


def _offered(tool: ToolSpec) -> str:
    function = {
        "name": tool_name(tool),
        "description": _description(tool),
        "parameters": schema_of(tool.type, tool.attributes),
        "strict": (tool.attributes or {}).get("strict") == "true",
    }
    return to_json({"type": "function", "function": function})


def _description(tool: ToolSpec) -> str:
    # Looked up in any case: an unknown tool is an error before the model is called.
    listed = known(tool.type)
    return tool.description or listed.description or ""


def _object(text: str) -> Mapping[str, Any]:
    fenced = _FENCED.search(text)
    try:
        found = orjson.loads(fenced[1] if fenced else text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
