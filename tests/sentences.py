"""What a kind of server lacks, as it is said: ``python -m tests.sentences aoss`` prints a table.

For each feature it shows the sentence of one request, and which endpoints share it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import attrs

import aiomlcommons.api  # noqa: F401 - fills ENDPOINTS
from aiomlcommons import ENDPOINTS, NotSupported
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.settings import PutClusterSettings
from aiomlcommons.endpoint import Request
from aiomlcommons.wire.flavors import FLAVORS, Flavor

URL = "plugins.ml_commons.allow_registering_model_via_url"
BY_VALUE: tuple[Request[Any], ...] = (
    RegisterModel("all-MiniLM-L6-v2", function_name="text_embedding"),
    RegisterModel("m", url="https://host/m.zip"),
    PutClusterSettings(persistent={URL: True}),
    PutClusterSettings(persistent={"plugins": {"ml_commons": {"only_run_on_ml_node": False}}}),
)
"""Requests that are refused for what they hold."""


def example(endpoint: type[Request[Any]]) -> Request[Any]:
    """Return a request of an endpoint with all that it requires."""
    needed = [field.name for field in attrs.fields(endpoint) if field.default is attrs.NOTHING]
    return endpoint(**dict.fromkeys(needed, "x"))


def requests() -> Iterator[Request[Any]]:
    """Return a request of each endpoint, then those that are refused for what they hold."""
    yield from map(example, ENDPOINTS)
    yield from BY_VALUE


def said(flavor: Flavor, request: Request[Any]) -> str:
    """Return what is said of a request that this kind of server lacks; empty if it has it."""
    try:
        flavor.check(request)
    except NotSupported as error:
        return str(error)
    return ""


def table(flavor: Flavor) -> dict[str, list[str]]:
    """Return the sentences, without what was asked, each with the requests that it is said of."""
    found: dict[str, list[str]] = {}
    for request in requests():
        if sentence := said(flavor, request):
            before, _, rest = sentence.partition(" (")
            _, _, after = rest.partition("): ")
            found.setdefault(f"{before}: {after}", []).append(type(request).__name__)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavor", choices=list(FLAVORS), nargs="?", default="aoss")
    found = table(FLAVORS[parser.parse_args().flavor])
    for sentence, names in found.items():
        print(f"{len(names):3}  {names[0]}{', ...' if len(set(names)) > 1 else ''}\n     {sentence}")


if __name__ == "__main__":
    main()
