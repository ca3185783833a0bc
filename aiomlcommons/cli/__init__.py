"""The command line: ``aiomlcommons embed | emulator | task | call``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

FAILED, USAGE, INTERRUPTED = 1, 2, 130

Command = Callable[[argparse.Namespace], Awaitable[int | None]]


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="aiomlcommons",
        description="OpenSearch ML Commons from the command line.",
        epilog="The cluster is named by --url or OPENSEARCH_URL; user, password and authority by OPENSEARCH_USERNAME, "
        "OPENSEARCH_PASSWORD and OPENSEARCH_CA_CERTS.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    cluster = _cluster_options()

    embed = commands.add_parser("embed", parents=[cluster], help="embed the texts of a JSONL file")
    embed.set_defaults(command="embed")
    embed.add_argument("input", metavar="INPUT", help="a JSON Lines file, one object a line")
    embed.add_argument(
        "--model", required=True, metavar="NAME_OR_ID", help="a model's id or name, or a pretrained name"
    )
    embed.add_argument(
        "--out", required=True, metavar="FILE", help="where to write: .jsonl (rows with vectors) or .npy"
    )
    embed.add_argument("--text", default="text", metavar="KEY", help="the key of a row's text (default: text)")
    embed.add_argument("--batch", type=_positive, default=64, metavar="N", help="rows in one request (default: 64)")
    embed.add_argument("--in-flight", type=_positive, default=4, metavar="N", help="requests at once (default: 4)")

    emulator = commands.add_parser("emulator", help="serve an emulated ML Commons until interrupted")
    emulator.set_defaults(command="serve")
    emulator.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    emulator.add_argument("--port", type=int, default=9200, help="port to listen on (default: 9200; 0 for any)")

    task = commands.add_parser("task", help="tasks of the server")
    verbs = task.add_subparsers(required=True, metavar="VERB")
    wait = verbs.add_parser("wait", parents=[cluster], help="wait for a task's end, showing each change")
    wait.set_defaults(command="wait")
    wait.add_argument("task_id", metavar="TASK_ID")
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after so long (default: never)")

    call = commands.add_parser(
        "call",
        parents=[cluster],
        help="call any endpoint",
        description="Call an endpoint by its namespace and method and print the answer: "
        "`call models get MODEL_ID`, `call models search body='{\"size\": 1}'`. Without a method, list what there is.",
    )
    call.set_defaults(command="call")
    call.add_argument("words", nargs="*", metavar="WORD", help="NAMESPACE METHOD [VALUE ...] [FIELD=VALUE ...]")
    return top


def _cluster_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("cluster")
    group.add_argument("--url", help="like https://host:9200 (default: OPENSEARCH_URL)")
    group.add_argument("--emulator", action="store_true", help="use the embedded emulator in place of a cluster")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0, 1 when it failed, 2 for wrong usage, 130 when interrupted."""
    options = parser().parse_args(arguments)
    # Imported here, so that --help need not wait for numpy and aiohttp.
    from aiomlcommons.cli import commands
    from aiomlcommons.errors import MLCommonsError

    command: Command = getattr(commands, options.command)
    try:
        return asyncio.run(_run(command, options)) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except commands.UsageError as error:
        print(f"aiomlcommons: {error}", file=sys.stderr)
        return USAGE
    except (MLCommonsError, OSError, ValueError) as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        print(f"aiomlcommons: {type(error).__name__}: {error}{notes}", file=sys.stderr)
        return FAILED


async def _run(command: Command, options: argparse.Namespace) -> int | None:
    return await command(options)
