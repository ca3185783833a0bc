"""How a command is declared: a verb, or a noun with verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from aiomlcommons.cli.syntax.parsing import PROGRAM, WIDEST, Parser
from aiomlcommons.cli.syntax.shared import add_options


def _nothing(_: argparse.ArgumentParser) -> None:
    """Add no argument."""


# Tuples, because importing attrs would take a third of the time of --help.
class Verb(NamedTuple):
    """A command that runs something.

    Attributes:
        name: What is typed.
        command: The function that runs it, as ``module.function`` of ``aiomlcommons.cli``.
        words: What it does, in one line.
        add: Adds its own arguments to its parser. Default: it has none.
        examples: What can be typed after ``aiomlcommons``; a test runs each of them on the emulator, where the words
            of ``tests/cli/example_world.py`` stand for ids.
        more: Further sentences of its help.
        local: Whether it needs no cluster. It takes the options of one all the same, for aliases that give them, but
            does not show them.
        given: What else its function finds among the options.
    """

    name: str
    command: str
    words: str
    add: Callable[[argparse.ArgumentParser], None] = _nothing
    examples: Sequence[str] = ()
    more: str = ""
    local: bool = False
    given: Mapping[str, Any] = MappingProxyType({})

    def add_to(self, commands: Any, typed: Container[str] | None = None) -> None:
        """Add the parser of the verb; without its arguments if its name is not among what was typed."""
        if typed is not None and self.name not in typed:
            commands.add_parser(self.name, help=self.words)
            return
        sentence = f"{self.words[0].upper()}{self.words[1:]}. {self.more}".strip()
        parser = commands.add_parser(
            self.name,
            help=self.words,
            description=sentence,
            epilog=shown_examples(self.examples),
        )
        parser.set_defaults(command=self.command, local=self.local, **self.given)
        self.add(parser)
        add_options(parser, cluster=not self.local)


class Noun(NamedTuple):
    """What verbs are about, such as ``models``."""

    name: str
    words: str
    verbs: Sequence[Verb]

    def add_to(self, commands: Any, typed: Container[str] | None = None) -> None:
        """Add the parsers of the noun and of its verbs; none of these if the noun is not among what was typed."""
        if typed is not None and self.name not in typed:
            commands.add_parser(self.name, help=self.words)
            return
        examples = [verb.examples[0] for verb in self.verbs if verb.examples][:3]
        parser = commands.add_parser(
            self.name,
            help=self.words,
            description=f"{self.words[0].upper()}{self.words[1:]}.",
            epilog=shown_examples(examples),
        )
        add_options(parser, cluster=False, output=False)
        verbs = parser.add_subparsers(
            required=True, metavar="VERB", parser_class=Parser, title="verbs", prog=f"{PROGRAM} {self.name}"
        )
        for verb in self.verbs:
            verb.add_to(verbs, typed)


def shown_examples(examples: Sequence[str]) -> str:
    """Return examples as the end of a help text; a long one goes on in a second line, as shells take it."""
    return "\n".join(["examples:", *map(_shown, examples)]) if examples else ""


def _shown(example: str) -> str:
    line = f"  {PROGRAM} {example}"
    if len(line) <= WIDEST:
        return line
    place = max(line.rfind(mark, 0, WIDEST - 2) for mark in (" --", ' "'))
    return f"{line[:place]} \\\n     {line[place:]}"
