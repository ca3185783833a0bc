"""``model-groups``, ``connectors`` and ``agents``, which have the same verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from aiomlcommons.cli.syntax.models import confirmation, named, response_time
from aiomlcommons.cli.syntax.verbs import Noun, Verb

_Add = Callable[[argparse.ArgumentParser], None]
_LISTED = "an id, as `list` shows it"


def _id(metavar: str) -> _Add:
    def add(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("id", metavar=metavar, help=_LISTED)

    return add


def _delete(metavar: str) -> _Add:
    def add(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("ids", metavar=metavar, nargs="+", help=_LISTED)
        confirmation(verb)

    return add


def _execute(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="AGENT_ID", help=_LISTED)
    verb.add_argument("question", metavar="QUESTION", nargs="?", help="the parameter `question` of most agents")
    words = "a parameter of the agent; VALUE is text, or JSON"
    verb.add_argument("--parameter", metavar="NAME=VALUE", action="append", default=[], help=words)
    response_time(verb)


def _noun(name: str, one: str, metavar: str, words: str = "", more: Sequence[Verb] = ()) -> Noun:
    many, given = f"{one}s", {"noun": name}
    return Noun(
        name,
        words or many,
        [
            Verb("list", "resources.show", f"list the {many}", named, [f"{name} list"], given=given),
            Verb(
                "get", "resources.get", f"show one {one}", _id(metavar), [f"{name} get {metavar} --json"], given=given
            ),
            Verb(
                "delete",
                "resources.delete",
                f"delete {many}, after confirmation",
                _delete(metavar),
                [f"{name} delete {metavar} --yes"],
                given=given,
            ),
            *more,
        ],
    )


GROUPS = _noun("model-groups", "model group", "MODEL_GROUP_ID")
CONNECTORS = _noun("connectors", "connector", "CONNECTOR_ID", "connections to models elsewhere")
AGENTS = _noun(
    "agents",
    "agent",
    "AGENT_ID",
    "models with tools and a memory",
    [
        Verb(
            "execute",
            "agents.execute",
            "ask an agent, and print its response",
            _execute,
            examples=['agents execute AGENT_ID "which models are there?"'],
        )
    ],
)
