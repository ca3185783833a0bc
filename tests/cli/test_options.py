"""Options stand anywhere: before the command, between its words, after them, among its arguments."""

from __future__ import annotations

import pytest

from aiomlcommons.cli.arguments import parse
from aiomlcommons.cli.syntax import shared
from aiomlcommons.wire.flavors import FLAVORS

URL = ["--url", "http://h:1"]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (URL, "url", "http://h:1"),
        (["--url=http://h:1"], "url", "http://h:1"),
        (["--user", "admin"], "user", "admin"),
        (["--profile", "prod"], "profile", "prod"),
        (["--json"], "json", True),
        (["-q"], "quiet", True),
        (["-v"], "verbose", 1),
        (["-vv"], "verbose", 2),
        (["--emulator"], "emulator", True),
    ],
)
def test_an_option_may_stand_anywhere(place: int, words: list[str], name: str, value: object) -> None:
    typed = ["models", "list"]
    typed[place:place] = words
    options = parse(typed)
    assert (getattr(options, name), options.command) == (value, "models.show")


def test_the_nearest_to_the_end_counts() -> None:
    typed = ["--url", "http://one", "-v", "models", "--url", "http://two", "list", "--url", "http://three", "-vv"]
    options = parse(typed)
    assert (options.url, options.verbose) == ("http://three", 2)


def test_what_is_not_given_has_its_default() -> None:
    options = parse(["models", "list"])
    assert (options.url, options.user, options.json, options.verbose, options.local) == (None, None, False, 0, False)


def test_options_stand_among_the_arguments_of_a_verb() -> None:
    options = parse(["ingest", "a.jsonl", "--model", "m", "b.jsonl", "--out", "o.npy", "c.jsonl"])
    assert options.source == ["a.jsonl", "b.jsonl", "c.jsonl"]
    options = parse(["call", "--url", "http://h", "models", "--json", "get", "id"])
    assert (options.words, options.url, options.json) == (["models", "get", "id"], "http://h", True)


def test_after_two_dashes_all_are_arguments() -> None:
    options = parse(["embed", "m", "--json", "--", "--text", "-q"])
    assert (options.model, options.texts, options.json, options.quiet) == ("m", ["--text", "-q"], True, False)


def test_a_text_with_spaces_may_begin_with_dashes() -> None:
    options = parse(["embed", "m", "-- a dash", "-1", "--b c"])
    assert options.texts == ["-- a dash", "-1", "--b c"]


@pytest.mark.parametrize("value", ["-1", "a=b", "-"])
def test_the_value_of_an_option_is_kept(value: str) -> None:
    assert parse(["embed", "m", "t", "--out", value]).out == value


def test_the_flavors_to_choose_from_are_all_that_there_are() -> None:
    assert tuple(FLAVORS) == shared.FLAVORS
