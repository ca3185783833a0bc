"""All commands, and the parser that is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterator, Sequence

from aiomlcommons.__about__ import __version__
from aiomlcommons.cli import exit_codes
from aiomlcommons.cli.syntax.about import COMPLETION, HELP
from aiomlcommons.cli.syntax.evaluation import EVALUATE
from aiomlcommons.cli.syntax.health import DOCTOR, TOP
from aiomlcommons.cli.syntax.jobs import DEAD_LETTERS, INGEST
from aiomlcommons.cli.syntax.models import EMBED, MODELS, PREDICT, RERANK
from aiomlcommons.cli.syntax.parsing import PROGRAM, Parser
from aiomlcommons.cli.syntax.reembedding import REEMBED
from aiomlcommons.cli.syntax.resources import AGENTS, CONNECTORS, GROUPS
from aiomlcommons.cli.syntax.searches import SEARCH
from aiomlcommons.cli.syntax.server import CALL, EMULATOR, ENDPOINTS, SETTINGS, TASKS
from aiomlcommons.cli.syntax.shared import DEFAULTS, add_options
from aiomlcommons.cli.syntax.verbs import Noun, Verb, shown_examples

COMMANDS: Sequence[Noun | Verb] = (
    INGEST,
    DEAD_LETTERS,
    REEMBED,
    SEARCH,
    EVALUATE,
    EMBED,
    RERANK,
    PREDICT,
    MODELS,
    GROUPS,
    CONNECTORS,
    AGENTS,
    DOCTOR,
    TOP,
    TASKS,
    SETTINGS,
    CALL,
    ENDPOINTS,
    EMULATOR,
    COMPLETION,
    HELP,
)
_EXAMPLES = (
    "--url https://host:9200 --user admin models list",
    "models ensure all-MiniLM-L6-v2 --profile prod",
    'embed all-MiniLM-L6-v2 "a text" --emulator',
)


def parser(typed: Container[str] | None = None) -> Parser:
    """Build the argument parser; of all commands, or for the words that were typed, which takes a fifth of the time."""
    top = Parser(
        prog=PROGRAM,
        description="OpenSearch ML Commons from the command line.",
        epilog=f"exit codes:\n{exit_codes.table()}\n\n{shown_examples(_EXAMPLES)}\n\n"
        "The cluster is that of --url, of --profile, of OPENSEARCH_URL, or of a profile in the configuration file: "
        "`aiomlcommons help configuration` tells more.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser, title="commands", prog=PROGRAM)
    for command in COMMANDS:
        command.add_to(commands, typed)
    add_options(top)
    return top


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse what was typed; on wrong usage print it and exit with 2."""
    options: argparse.Namespace = parser(words).parse_args(words, argparse.Namespace(**DEFAULTS, typed=list(words)))
    return options


def verbs() -> Iterator[tuple[str, Verb]]:
    """Yield every verb with all that is typed for it, such as ``models list``."""
    for command in COMMANDS:
        if isinstance(command, Noun):
            yield from ((f"{command.name} {verb.name}", verb) for verb in command.verbs)
        else:
            yield command.name, command
