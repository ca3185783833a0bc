"""Odd values of every option of every verb: refused in words that name it, before anything is sent."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.cli.arguments import verbs
from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.tables import moment
from tests.cli.parsers import at, whole
from tests.cli.wrong_inputs import Wrong, said

LONG = "9" * 5_000
NUMBERS = ("nan", "-1", "-inf", "odd", "1,5", " ", "0x10")
ODD: Mapping[Callable[..., Any], tuple[str, ...]] = {
    types.positive: (*NUMBERS, "0", "0.5", "inf", "1e9", LONG),
    types.several_positive: ("nan", "-1", "odd", " ", "0x10", "0", "1,", "1,0", "0.5", "inf", LONG),
    types.not_negative: (*NUMBERS, "0.5", "inf", "1e9", LONG),
    types.seconds: NUMBERS,
    types.from_now: (*NUMBERS, "0"),
    types.some_seconds: (*NUMBERS, "0", "inf", "1e400"),
    types.failures: (*NUMBERS, "1.5", "1e9", LONG),
    types.concurrency: (*NUMBERS, "0", "0.5", "1e9", "1-", "-5", "5-1", "0-4", "a-b", "1-2-3", LONG),
    types.port: (*NUMBERS, "65536", "0.5", LONG),
    types.delimiter: ("ab",),
    types.encoding: ("odd", "rot13", "hex", "a\0b"),
    types.names: (",", "a,,b"),
    types.maybe_empty: (),
}
"""Of each way in which values are read those that it must refuse."""


def options() -> Iterator[Any]:
    """Yield what is typed for a verb, and each of its options that have a value."""
    for name, verb in verbs():
        for action in at(whole(), name.split())._actions:
            if action.option_strings and action.nargs != 0:
                yield pytest.param(verb.examples[0], action, id=f"{name} {action.option_strings[-1]}")


def odd_values(action: argparse.Action) -> list[str]:
    """Return the values that an option must refuse."""
    found = [] if action.type is types.maybe_empty else [""]
    found += ["odd"] if action.choices else []
    return [*found, *(ODD[action.type] if callable(action.type) else ())]


@pytest.mark.parametrize(("example", "action"), list(options()))
def test_an_odd_value_is_refused_by_name_and_nothing_is_sent(
    example: str, action: argparse.Action, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, option = shlex.split(example.partition(" < ")[0]), action.option_strings[-1]
    for value in odd_values(action):
        # The parser refuses it, before anything runs.
        with pytest.raises(SystemExit, match="2"):
            whole().parse_args([*typed, f"{option}={value}"])
        got = capsys.readouterr()
        assert got.out == ""
        assert got.err.startswith(f"aiomlcommons: argument {option}"), f"{value!r}: {got.err}"
        assert len(got.err.splitlines()) <= 2, got.err


def test_an_odd_value_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = Wrong(
        "ingest a.csv --model m --out o.npy --encoding odd", 2, "argument --encoding: must be a text encoding"
    )
    code, out, errors = said(wrong)
    assert (code, out) == (2, "")
    assert errors.startswith(f"aiomlcommons: {wrong.says}")


@pytest.mark.parametrize("millis", [2**63 - 1, -(2**63), 10**400])
def test_a_time_of_a_server_that_is_no_date_is_shown_as_it_is(millis: int) -> None:
    assert moment(millis) == str(millis)
