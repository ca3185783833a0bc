"""``doctor`` and ``top``: what is wrong with a cluster, and what it is doing."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.verbs import Verb


def _doctor(verb: argparse.ArgumentParser) -> None:
    words = "give up each check after this time (default: 20)"
    verb.add_argument("--timeout", type=types.some_seconds, default=20.0, metavar="SECONDS", help=words)


DOCTOR = Verb(
    "doctor",
    "doctor.examine",
    "find out what is wrong with the cluster for ML, with the commands that mend it",
    _doctor,
    more="It changes nothing. The exit code is 1 if there is a problem; warnings, and what could not be checked, are "
    "none.",
    examples=["doctor", "doctor --json"],
)


def _top(verb: argparse.ArgumentParser) -> None:
    words = "the time between two looks (default: 2)"
    verb.add_argument("--interval", type=types.some_seconds, default=2.0, metavar="SECONDS", help=words)
    verb.add_argument("--once", action="store_true", help="look once, print it, and end; --json needs it")


TOP = Verb(
    "top",
    "top.show",
    "watch nodes, models, tasks, latency and rejections",
    _top,
    more="q or Ctrl-C ends it. Rates are those between two looks; latencies those of the last requests of a model (as "
    "many as the setting monitoring_request_count says). Without rich, or off a terminal, each look is printed.",
    examples=["top --once", "top --once --json"],
)
