"""The conversation memory of an agent during a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.api.agents import Agent
from aiomlcommons.api.memory import MemoryMessage
from aiomlcommons.api.tensors import TextTensor
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.memory import conversations

INDEX = "CONVERSATION_INDEX"
NAMES = ("memory_id", "parent_interaction_id")
REGENERATE = "regenerate_interaction_id"


@attrs.define
class Conversation:
    """A conversation, and the message in it that the run answers."""

    cluster: Cluster
    memory_id: str
    message_id: str
    _steps: int = 0

    @property
    def names(self) -> dict[str, str]:
        """The ids of the conversation and the message, by their names in responses."""
        return dict(zip(NAMES, (self.memory_id, self.message_id), strict=True))

    @property
    def tensors(self) -> list[TextTensor]:
        """The ids as output tensors."""
        return [TextTensor(name=name, result=key) for name, key in self.names.items()]

    def past(self, parameters: Mapping[str, str]) -> list[MemoryMessage]:
        """Return the last answered messages, oldest first; ``message_history_limit`` is the maximum."""
        limit = number(parameters, "message_history_limit", 10)
        answered = [one for one in conversations.history(self.cluster, self.memory_id) if one.response]
        return answered[-limit:] if limit > 0 else []

    def trace(self, input: str, response: str, origin: str) -> None:
        """Add a trace message for a step of the run."""
        self._steps += 1
        conversations.add_message(
            self.cluster,
            self.memory_id,
            input=input,
            response=response,
            origin=origin,
            parent_message_id=self.message_id,
            trace_number=self._steps,
        )

    def end(self, response: str | None, info: Mapping[str, Any]) -> None:
        """Store the response, if there is one, and additional information."""
        if self.cluster.messages.get(self.message_id) is None:
            return  # deleted in the meantime
        given = {} if response is None else {"response": response}
        now = conversations.iso_now(self.cluster)
        self.cluster.messages.change(self.message_id, additional_info=info, updated_time=now, **given)


def number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return an integer parameter, or the default; raise Refused where it is not a number."""
    text = parameters.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise illegal(f'For input string: "{text}"') from None


def begin(cluster: Cluster, agent: Agent, parameters: Mapping[str, str]) -> Conversation | None:
    """Return the conversation ``memory_id``, or a new one, with the question added; None for an agent without memory.

    Raises Refused where there is no such conversation.
    """
    if agent.memory is None:
        return None
    memory_id, message_id = parameters.get("memory_id"), parameters.get("parent_interaction_id")
    if memory_id is None or message_id is None:
        memory_id, message_id = _ask(cluster, agent, memory_id, parameters)
    return Conversation(cluster, memory_id, message_id)


def with_question(cluster: Cluster, agent: Agent, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parameters; to regenerate a message, its question is added unless one is given.

    Raises Refused where there is no such message, and for a type of memory that the emulator does not have.
    """
    regenerated = parameters.get(REGENERATE)
    if regenerated is not None and "memory_id" not in parameters:
        raise illegal("A memory ID must be provided to regenerate.")
    if agent.memory is None:
        return parameters
    if agent.memory.type.upper() != INDEX:
        raise refused(501, "not_emulated", f"the emulator's agents have no {agent.memory.type}, only {INDEX.lower()}")
    if regenerated is None or "parent_interaction_id" in parameters:
        return parameters
    return {"question": conversations.find_message(cluster, regenerated).input or "", **parameters}


def _ask(cluster: Cluster, agent: Agent, memory_id: str | None, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Add the question to the conversation or a new one; a regenerated message is deleted with its traces."""
    question = parameters.get("question")
    if memory_id is None:
        memory_id = conversations.create_memory(cluster, question or "", application_type=agent.app_type)
    message_id = conversations.add_message(cluster, memory_id, input=question, response="", additional_info={})
    if regenerated := parameters.get(REGENERATE):
        for old in conversations.traces(cluster, regenerated):
            cluster.messages.delete(old.message_id or "")
        cluster.messages.delete(regenerated)
    return memory_id, message_id
