"""What an agent remembers of a conversation while it runs."""

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
AGAIN = "regenerate_interaction_id"


@attrs.define
class Conversation:
    """A memory, and the message in it that a run will answer."""

    cluster: Cluster
    memory_id: str
    message_id: str
    _steps: int = 0

    @property
    def names(self) -> dict[str, str]:
        """How an answer names the conversation."""
        return dict(zip(NAMES, (self.memory_id, self.message_id), strict=True))

    @property
    def tensors(self) -> list[TextTensor]:
        """Its names as outputs."""
        return [TextTensor(name=name, result=key) for name, key in self.names.items()]

    def past(self, parameters: Mapping[str, str]) -> list[MemoryMessage]:
        """The last messages that were answered, the first one first; ``message_history_limit`` says how many."""
        limit = number(parameters, "message_history_limit", 10)
        answered = [one for one in conversations.history(self.cluster, self.memory_id) if one.response]
        return answered[-limit:] if limit > 0 else []

    def trace(self, asked: str, answered: str, origin: str) -> None:
        """Note a step on the way down."""
        self._steps += 1
        conversations.add_message(
            self.cluster,
            self.memory_id,
            input=asked,
            response=answered,
            origin=origin,
            parent_message_id=self.message_id,
            trace_number=self._steps,
        )

    def end(self, response: str | None, info: Mapping[str, Any]) -> None:
        """Keep the answer, if there is one, and what else came out."""
        if self.cluster.messages.get(self.message_id) is None:
            return  # deleted meanwhile
        given = {} if response is None else {"response": response}
        now = conversations.iso_now(self.cluster)
        self.cluster.messages.change(self.message_id, additional_info=info, updated_time=now, **given)


def number(parameters: Mapping[str, str], name: str, otherwise: int) -> int:
    """A parameter that is a number. Raises Refused where it is none."""
    text = parameters.get(name, str(otherwise))
    try:
        return int(text)
    except ValueError:
        raise illegal(f'For input string: "{text}"') from None


def begin(cluster: Cluster, agent: Agent, parameters: Mapping[str, str]) -> Conversation | None:
    """The conversation that ``memory_id`` names, or a new one, with the question; None for an agent without memory.

    Raises Refused where there is no such memory.
    """
    if agent.memory is None:
        return None
    memory_id, message_id = parameters.get("memory_id"), parameters.get("parent_interaction_id")
    if memory_id is None or message_id is None:
        memory_id, message_id = _ask(cluster, agent, memory_id, parameters)
    return Conversation(cluster, memory_id, message_id)


def with_question(cluster: Cluster, agent: Agent, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters; without a question they get that of the message that is to be answered again.

    Raises Refused where there is no such message, and for a kind of memory that the emulator does not have.
    """
    again = parameters.get(AGAIN)
    if again is not None and "memory_id" not in parameters:
        raise illegal("A memory ID must be provided to regenerate.")
    if agent.memory is None:
        return parameters
    if agent.memory.type.upper() != INDEX:
        raise refused(501, "not_emulated", f"the emulator's agents have no {agent.memory.type}, only {INDEX.lower()}")
    if again is None or "parent_interaction_id" in parameters:
        return parameters
    return {"question": conversations.find_message(cluster, again).input or "", **parameters}


def _ask(cluster: Cluster, agent: Agent, memory_id: str | None, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Ask in a conversation, or in a new one; what is answered again is forgotten then, with its traces."""
    question = parameters.get("question")
    if memory_id is None:
        memory_id = conversations.create_memory(cluster, question or "", application_type=agent.app_type)
    message_id = conversations.add_message(cluster, memory_id, input=question, response="", additional_info={})
    if again := parameters.get(AGAIN):
        for old in conversations.traces(cluster, again):
            cluster.messages.delete(old.message_id or "")
        cluster.messages.delete(again)
    return memory_id, message_id
