"""``tasks``, ``settings``, ``call``, ``endpoints`` and ``emulator``."""

from __future__ import annotations

import argparse
import math

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.models import response_time
from aiomlcommons.cli.syntax.verbs import Noun, Verb


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--last", type=types.positive, default=20, metavar="N", help="how many (default: 20)")


def _task(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="TASK_ID", help="an id, as `list` shows it")


def _wait(verb: argparse.ArgumentParser) -> None:
    _task(verb)
    words = "stop waiting after this time (default: never)"
    verb.add_argument("--timeout", type=types.seconds, default=math.inf, metavar="SECONDS", help=words)


TASKS = Noun(
    "tasks",
    "tasks of the server",
    [
        Verb("list", "tasks.show", "list the newest tasks", _list, examples=["tasks list --last 5"]),
        Verb("get", "tasks.get", "show one task", _task, examples=["tasks get TASK_ID --json"]),
        Verb(
            "wait",
            "tasks.wait",
            "wait for the end of a task, and print each change of its state",
            _wait,
            more="The exit code is 1 if it failed, 4 if it still runs after --timeout.",
            examples=["tasks wait TASK_ID --timeout 60"],
        ),
    ],
)


def _named(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--name", type=types.maybe_empty, default="", metavar="PART", help="only those with this in their name"
    )


def _set(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("settings", metavar="NAME=VALUE", nargs="+", help="like only_run_on_ml_node=false")


SETTINGS = Noun(
    "settings",
    "cluster settings of ML Commons",
    [
        Verb("list", "settings.show", "show the settings in effect", _named, examples=["settings list --name memory"]),
        Verb(
            "set",
            "settings.change",
            "change settings; NAME= resets one to its default",
            _set,
            examples=["settings set only_run_on_ml_node=false", "settings set only_run_on_ml_node="],
        ),
    ],
)


def _call(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("words", nargs="+", metavar="WORD", help="NAMESPACE METHOD [VALUE ...] [FIELD=VALUE ...]")
    response_time(verb)


def _endpoints(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("prefix", nargs="*", metavar="PREFIX", help="only those that begin with it, as in `models get`")


CALL = Verb(
    "call",
    "calls.call",
    "call any endpoint, and print its response",
    _call,
    more="An endpoint is named by its namespace and method, as in `ml.models.get`; `aiomlcommons endpoints` lists "
    "them. VALUE is JSON, or the text of a text field; FIELD= names it. The response is JSON in any case, but for "
    "streams of events.",
    examples=["call info", """call models search 'body={"size": 1}'"""],
)

ENDPOINTS = Verb(
    "endpoints",
    "calls.listed",
    "list what `call` can call",
    _endpoints,
    examples=["endpoints", "endpoints tasks"],
    local=True,
)


def _emulator(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    words = "port to listen on (default: 9200; 0 for any)"
    verb.add_argument("--port", type=types.port, default=9200, help=words)


EMULATOR = Verb(
    "emulator",
    "emulated.serve",
    "serve an emulated cluster with ML Commons until interrupted",
    _emulator,
    more="Its first line of output tells the URL.",
    examples=["emulator --port 9200"],
    local=True,
)
