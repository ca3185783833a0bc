"""Every public parameter refuses odd values by its name, before anything is sent; the places are odd_places.py."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import aiomlcommons
from aiomlcommons import InvalidRequest, Session, connectors, emulator, ingest, queries
from tests.reliability import odd_values
from tests.reliability.odd_places import PLACES
from tests.reliability.odd_values import endpoints, run, trials

# What the package makes and hands out, and what a program implements: nothing of it takes an option.
HANDED_OUT = {
    *("DeclaredModel", "EnsuredModel", "HttpRequest", "HttpResponse", "ModelIndex", "NodeState", "Phase", "Progress"),
    *("Ranked", "Request", "SendFunction", "SessionOptions", "Streamed", "Task", "Transport", "Trouble"),
    *("BadRow", "DeadLetter", "Documents", "Estimate", "Ingestion", "Job", "Refused", "Report", "Row", "Rows", "Sink"),
    *("Source", "Stats", "AwsOptions", "Options"),
    # Records of the API, which are checked where they are sent.
    *("MLSettings", "ModelConfig"),
    # Its options are those of ``ml.ingest``, and it begins with a job.
    "estimate",
    # Its methods are places.
    "Faults",
    # Its options are those of ``Emulator.serve``.
    "serve",
}
# Methods of a session that take a typed request or nothing, or the options of the session.
OTHER_METHODS = {"close", "connect", "from_env", "greet", "open", "pieces", "ping", "raw", "send", "version"}


@pytest.mark.filterwarnings("ignore::aiomlcommons.InsecureWarning")
def test_every_odd_value_is_refused_by_name_before_anything_is_sent() -> None:
    wrong = [f"{trial}: {words}" for trial, words in run(list(trials(PLACES))) if words]
    assert not wrong, "\n".join(wrong[:20])


def test_what_is_right_is_taken_at_every_place() -> None:
    none: Any = object()
    for place in PLACES:
        right = odd_values.Trial(place, "", none)
        with odd_values.opened() as (ml, sent, loop):
            words = odd_values.outcome(right, sent, loop, ml)
        assert "refused" not in words, f"{place.name}: {words}"


def test_every_public_name_is_a_place() -> None:
    places = {place.takes for place in PLACES}
    for module in (aiomlcommons, ingest, emulator, connectors, queries):
        names = getattr(module, "__all__", None) or ["neural", "neural_sparse", "knn", "hybrid"]
        for name in names:
            found = getattr(module, name)
            if callable(found) and not (inspect.isclass(found) and issubclass(found, Exception | Warning)):
                assert found in places or name in HANDED_OUT, f"add {name} to tests/reliability/odd_places.py"
    for name in dir(Session):
        found = inspect.getattr_static(Session, name)
        if not name.startswith("_") and inspect.isfunction(found) and name not in OTHER_METHODS:
            assert f"ml.{name}" in {place.name for place in PLACES}, f"add ml.{name} to tests/reliability/odd_places.py"


def test_fields_of_every_endpoint_refuse_odd_values() -> None:
    # The program tries all of them.
    some = list(trials(endpoints()))[::7]
    assert len({trial.place.name for trial in some}) > 80
    wrong = [f"{trial}: {words}" for trial, words in run(some) if words]
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [math.nan, math.inf])
async def test_a_number_that_json_lacks_is_refused_wherever_it_is_in_a_request(number: float) -> None:
    ml = Session("http://node:9200")
    query = {"knn": {"f": {"vector": [0.5, number], "k": 3}}}
    with pytest.raises(InvalidRequest, match=rf"a finite number, got {number} @ \$\.body\..*knn\.f\.vector\[1\]"):
        await ml.models.search({"query": query})


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3), np.uint8(3), 3])
def test_numbers_of_numpy_are_numbers(number: Any) -> None:
    assert ingest.Chunks(size=number).size == 3
    first: Any = np.float32(1)
    assert aiomlcommons.Backoff(first=first).first == 1
    assert queries.knn("f", [1.0], k=number)["knn"]["f"]["k"] == 3
