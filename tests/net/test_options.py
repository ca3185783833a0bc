"""Options with a wrong type or value are refused at once, and the refusal names them; the table is option_errors.py."""

from __future__ import annotations

import inspect
import math
import traceback
from typing import Any

import attrs
import numpy as np
import pytest

from aiomlcommons import AwsAuth, Backoff, BasicAuth, BearerAuth, Hedge, Session, Timeout
from aiomlcommons.net import option_rules
from tests.net.option_errors import HUSH, WRONG, Wrong, main


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_wrong_option_is_refused_with_its_name_and_what_is_accepted(case: Wrong) -> None:
    error = case.error()
    assert case.option in str(error)
    assert case.accepted in str(error)
    assert "\n" not in str(error)
    assert HUSH not in "".join(traceback.format_exception(error))


KINDS: tuple[type, ...] = (Timeout, Backoff, Hedge, BasicAuth)


def test_every_option_is_in_the_table() -> None:
    tried = {(case.place, case.option) for case in WRONG}
    takes = {
        "Session": list(inspect.signature(Session).parameters),
        "ml.options": [name for name in inspect.signature(Session.options).parameters if name != "self"],
        **{
            kind.__name__: [field.name for field in attrs.fields(kind)] for kind in (Timeout, Backoff, Hedge, BasicAuth)
        },
        "BearerAuth": ["token"],
        "AwsAuth": list(inspect.signature(AwsAuth).parameters),
    }
    missing = {(place, name) for place, names in takes.items() for name in names} - tried
    assert not missing, "add wrong values of it to tests/net/option_errors.py, and its rule to net/option_rules.py"


def test_every_option_has_its_rule() -> None:
    assert {"url", *option_rules.SESSION} - {"opaque_id"} == set(inspect.signature(Session).parameters)
    assert {"self", *option_rules.VIEW} == set(inspect.signature(Session.options).parameters)


def test_the_table_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    printed = capsys.readouterr().out
    assert "| `Session(timeout=-1)` | ValueError: timeout must be a number of seconds above 0, a Timeout" in printed
    assert HUSH not in printed


@pytest.mark.parametrize("case", [case for case in WRONG if case.place == "Session"], ids=str)
def test_no_session_is_half_made(case: Wrong) -> None:
    made: list[Session] = []

    class Watched(Session):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            made.append(self)
            super().__init__(*arguments, **options)

    with pytest.raises((TypeError, ValueError)):
        Watched(**{"url": "https://node:9200", **case.given})
    assert vars(made[0]) == {}


@pytest.mark.asyncio
async def test_connect_refuses_a_wrong_option_before_the_network() -> None:
    with pytest.raises(TypeError, match=r"^retries must be a whole number of at least 0, not '3'$"):
        await Session.connect("https://node.invalid:9200", retries="3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="there is no option 'tiemout'; did you mean 'timeout'"):
        await Session.connect("https://node.invalid:9200", tiemout=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no option 'tiemout'; did you mean 'timeout'"):
        Session.from_env({"OPENSEARCH_URL": "https://node:9200"}, tiemout=3)  # type: ignore[call-arg]


@pytest.mark.asyncio
async def test_the_headers_of_one_request_are_refused_before_it_is_sent() -> None:
    ml = Session("https://node:9200")
    for wrong in ({"x-team": f"{HUSH}\nx-evil: 1"}, {"x-team": None}, {"x team": HUSH}):
        with pytest.raises((TypeError, ValueError), match="headers") as caught:
            await ml.request("GET", "/", headers=wrong)  # type: ignore[arg-type]
        assert HUSH not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": np.float32(5), "retries": np.int64(2), "wait": math.inf, "pool_size": np.int32(3)},
        {"timeout": None, "retries": 0, "wait": 0, "pool_size": 1, "compat": "3"},
        {"headers": {"X-Team": "größe\tß", "x-empty": ""}, "user_agent": "indexer/7 (größe)", "compat": "2.19.1"},
        {"backoff": Backoff(first=0, cap=math.inf), "timeout": Timeout(connect=0.1, read=None, total=None)},
        {"auth": ("", ""), "tenant_id": "acme"},
        {"auth": BearerAuth(lambda: "later")},
    ],
)
def test_what_makes_sense_is_taken(options: dict[str, Any]) -> None:
    ml = Session("http://localhost:9200", **options)
    assert ml.options(**{k: v for k, v in options.items() if k in option_rules.VIEW}) is not ml
