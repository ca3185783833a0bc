"""The parser: argparse that says what was meant, takes options anywhere, and prints help of 80 columns."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from aiomlcommons.cli.exit_codes import USAGE
from aiomlcommons.cli.syntax.types import maybe_empty
from aiomlcommons.spelling import did_you_mean

PROGRAM = "aiomlcommons"
WIDEST = 80
# Like --name, --name=value, -v and -vv: neither a number nor a text that begins with a dash.
_OPTION = re.compile(r"--?[A-Za-z][\w-]*(=.*)?", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser of one level: of the program, a noun or a verb."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=Formatter, **options)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] # its overloads say no more
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """Parse words: options may stand anywhere; an unknown one is an error that says what is near."""
        words = self._ordered(sys.argv[1:] if args is None else list(args))
        found, extra = super().parse_known_args(words, namespace)
        if extra:
            self.error(f"too many words: {' '.join(word for word in extra if word != '--')}")
        return found, extra

    def error(self, message: str) -> NoReturn:
        """Print the error and where help is; exit."""
        sys.stderr.write(f"{PROGRAM}: {message}\n{PROGRAM}: see `{self.prog} --help`\n")
        sys.exit(USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if value == "" and action.option_strings and action.type is not maybe_empty:
            # As of a variable that is not set, `--index "$INDEX"`: not what stands for an option that is not given.
            self.error(f"argument {action.option_strings[-1]} must not be empty")
        if action.choices is None or value in action.choices:
            return
        what = argparse.ArgumentError(action, "").argument_name or "value"
        known = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"there is no {what.lower()} {value!r}; {did_you_mean(str(value), known, _choice_of(known))}")
        near = did_you_mean(str(value), known)
        self.error(f"argument {what} must be {' or '.join(known)}, not {value!r}{near and f'; {near}'}")

    def _ordered(self, words: Sequence[str]) -> list[str]:
        """Return the words with options first, up to the word that names a subcommand. Unknown options are errors."""
        has_commands = any(isinstance(action, argparse._SubParsersAction) for action in self._actions)
        options, others, rest = list[str](), list[str](), list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                others += rest
                break
            name = word.partition("=")[0]
            if not _OPTION.fullmatch(word) or (" " in word and name not in self._option_string_actions):
                others.append(word)
                if has_commands:
                    return [*options, *others, *rest]
                continue
            options.append(word)
            action = self._known(word)
            if action.nargs is None and "=" not in word and rest and not _OPTION.fullmatch(rest[0]):
                options.append(rest.pop(0))
        return [*options, "--", *others] if others else options

    def _known(self, word: str) -> argparse.Action:
        name = word.partition("=")[0]
        short = word[:2] if not word.startswith("--") else name
        found = self._option_string_actions.get(name) or self._option_string_actions.get(short)
        if found is None:
            # Without its value, which may be a credential.
            near = did_you_mean(name, self._option_string_actions, "its help lists them")
            self.error(f"there is no option {name}; {near}")
        return found

    def format_usage(self) -> str:
        """Return the usage on one line, as ``format_help`` begins with it."""
        return f"usage: {self.prog} {usage_of(self._actions)}\n"


def _choice_of(known: Sequence[str]) -> str:
    return f"choose from {', '.join(known)}"


def usage_of(actions: Iterable[argparse.Action]) -> str:
    """Return what must follow the program's name: required options and other words; the rest is ``[OPTIONS]``."""
    words = ["[OPTIONS]"]
    for action in actions:
        name = str(action.metavar or action.dest)
        if action.option_strings:
            words += [f"{action.option_strings[-1]} {name}"] if action.required else []
        elif action.nargs in {"+", "*"}:
            words.append(f"{name} ..." if action.nargs == "+" else f"[{name} ...]")
        else:
            words.append(f"{name} ..." if action.nargs == argparse.PARSER else name)
    return " ".join(words)


class Formatter(argparse.HelpFormatter):
    """Help of at most 80 columns; lines of a description that are indented stay as they are."""

    def __init__(self, prog: str) -> None:
        width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
        super().__init__(prog, max_help_position=26, width=width - 2)

    def add_usage(self, usage: str | None, actions: Iterable[argparse.Action], groups: Any, prefix: Any = None) -> None:
        """Add the usage in the words of ``usage_of``."""
        del usage
        super().add_usage(f"{self._prog} {usage_of(actions)}".replace("%", "%%"), actions, groups, prefix)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = (part if part.startswith(" ") else _filled(part, width, indent) for part in text.split("\n\n"))
        return "\n\n".join(parts)


def _filled(text: str, width: int, indent: str) -> str:
    head, colon, block = text.partition(":\n")
    if colon and block.startswith(" "):
        return f"{head}:\n{block}"
    return textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)
