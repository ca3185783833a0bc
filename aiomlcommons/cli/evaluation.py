"""``aiomlcommons evaluate``: measure search systems on queries of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio.to_thread

from aiomlcommons.cli.common import cluster, note, shown
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import NOT_AS_REQUIRED
from aiomlcommons.cli.syntax.evaluation import OPTIONS
from aiomlcommons.cli.tables import print_json
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.evaluate import evaluate as evaluation
from aiomlcommons.evaluating.plots import check_matplotlib
from aiomlcommons.evaluating.requirements import OF_EVALUATION, Requirement, requirements
from aiomlcommons.evaluating.systems import Searched
from aiomlcommons.spelling import did_you_mean

_BOOLEANS = {"true": True, "false": False}


async def evaluate(options: argparse.Namespace) -> int:
    """Measure the systems, and print a table; return 5 if the last one is not as --require says."""
    systems = _systems(options.system)
    required = _required(options.require, systems)
    ks = sorted({*options.k, *(one.k for one in required if one.k is not None)})
    if options.plot is not None:
        await anyio.to_thread.run_sync(check_matplotlib, options.plot)
    async with cluster(options) as ml:
        result = await evaluation(
            ml,
            options.queries,
            options.judgments,
            systems,
            k=ks,
            concurrency=options.concurrency,
            progress=shown(options),
        )
    failed = result.require(options.require)
    print_json({**result.to_dict(by_query=True), "failed": failed}) if options.json else print(result)
    if options.plot is not None:
        await anyio.to_thread.run_sync(partial(result.plot, options.plot))
    for words in failed:
        note(options, f"not as required: {words}")
    return NOT_AS_REQUIRED if failed else 0


def _required(words: Sequence[str], systems: dict[str, Searched]) -> tuple[Requirement, ...]:
    """Return the requirements, which are to be fulfilled by systems that there are. Raises UsageError."""
    try:
        found = requirements(words, known=OF_EVALUATION)
    except InvalidRequest as error:
        raise UsageError(f"--{error}") from None
    for one in found:
        if one.other is not None and one.other not in systems:
            near = did_you_mean(one.other, systems, f"there are {', '.join(systems)}")
            raise UsageError(f"--require: {one.words!r}: there is no system {one.other!r}; {near}")
    return found


def _systems(given: Sequence[str]) -> dict[str, Searched]:
    found: dict[str, Searched] = {}
    for words in given:
        name, _, rest = words.partition("=")
        if name in found:
            raise UsageError(f"--system: there are two systems {name!r}: give each a name of its own")
        found[name] = _system(words, rest)
        if not name or not found[name].index:
            raise UsageError(f"--system must be like new=docs-2,model=MODEL, not {words!r}")
    return found


def _system(words: str, rest: str) -> Searched:
    """Return the system of ``INDEX[,option=value...]``; the index may be several, with commas between them."""
    parts = rest.split(",")
    number = next((number for number, part in enumerate(parts) if "=" in part), len(parts))
    taken: dict[str, Any] = {}
    for part in parts[number:]:
        option, equals, value = part.partition("=")
        if not equals or option not in OPTIONS:
            near = did_you_mean(option, OPTIONS, f"there are {', '.join(OPTIONS)}")
            raise UsageError(f"--system {words!r}: there is no option {option!r}; {near}")
        taken[option.replace("-", "_")] = _value(words, option, value)
    return Searched(",".join(parts[:number]), **taken)


def _value(words: str, option: str, value: str) -> Any:
    if not value:
        raise UsageError(f"--system {words!r}: {option} is empty")
    if option == "hybrid":
        if value not in _BOOLEANS:
            raise UsageError(f"--system {words!r}: hybrid must be true or false, not {value!r}")
        return _BOOLEANS[value]
    if option == "k":
        if not value.isdecimal() or int(value) < 1:
            raise UsageError(f"--system {words!r}: k must be a whole number from 1 on, not {value!r}")
        return int(value)
    return value
