"""SessionOptions keeps in step with the options of a session: their names, types, and documentation."""

from __future__ import annotations

import inspect
import re
from typing import get_type_hints

import pytest

from aiomlcommons import Session, SessionOptions
from aiomlcommons.client import Client
from aiomlcommons.net import option_rules


def test_it_has_the_options_of_a_session_in_their_order_with_their_types() -> None:
    wanted = get_type_hints(inspect.unwrap(Client.__init__))
    assert [name for name in wanted if name not in {"url", "return"}] == list(SessionOptions.__annotations__)
    assert get_type_hints(SessionOptions) == {k: v for k, v in wanted.items() if k not in {"url", "return"}}
    assert SessionOptions.__required_keys__ == frozenset()


def test_each_option_is_documented_where_the_type_says() -> None:
    documented = re.findall(r"^    (\w+): ", inspect.cleandoc(Session.__doc__ or ""), re.MULTILINE)
    assert documented == ["url", *SessionOptions.__annotations__]


def test_each_option_has_its_rule() -> None:
    assert set(SessionOptions.__annotations__) == set(option_rules.SESSION) - {"opaque_id"}


@pytest.mark.parametrize("name", ["connect", "from_env"])
def test_what_passes_options_on_has_the_type(name: str) -> None:
    function = inspect.unwrap(getattr(Session, name))
    options = inspect.signature(function).parameters["options"]
    assert (options.kind, options.annotation) == (inspect.Parameter.VAR_KEYWORD, "Unpack[SessionOptions]")
