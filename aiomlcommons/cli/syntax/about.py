"""``completion`` and ``help``, which are about the commands themselves."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.syntax.verbs import Verb

SHELLS = ("bash", "zsh", "fish")


def _shell(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


COMPLETION = Verb(
    "completion",
    "completion.show",
    "print the script that completes commands and options in a shell",
    _shell,
    more="""It needs shtab: pip install "aiomlcommons[completion]".

To use it at once, and for good:
  bash:  source <(aiomlcommons completion bash)
         aiomlcommons completion bash > \\
           ~/.local/share/bash-completion/completions/aiomlcommons
  zsh:   aiomlcommons completion zsh > "${fpath[1]}/_aiomlcommons"
  fish:  aiomlcommons completion fish > \\
           ~/.config/fish/completions/aiomlcommons.fish""",
    examples=["completion bash"],
    local=True,
)


def _topic(verb: argparse.ArgumentParser) -> None:
    words = "a command, such as `models list`; `exit-codes`; `configuration`"
    verb.add_argument("topic", metavar="TOPIC", nargs="*", help=words)


HELP = Verb(
    "help",
    "help.show",
    "show help on a command or a topic",
    _topic,
    examples=["help models list", "help exit-codes", "help configuration"],
    local=True,
)
