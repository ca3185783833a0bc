"""Judge the package by what a real server said: ``python -m tests.wire.replay FILE...``.

For each exchange the endpoint is found by method and path, old names included. Where the answer is below 400, the
request is read into its class and written again, and the answer too: both must come out as they were recorded, with
nothing in ``extra``. Where it is 400 or above, the error raised must have the recorded status, type and reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from aiomlcommons import ENDPOINTS, convert
from aiomlcommons.endpoint import Record, Request
from aiomlcommons.errors import ApiError, error_for
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.routes import Match, Router, read_request
from aiomlcommons.wire import from_http, to_http
from tests.wire.recordings import FILES, Exchange, exchanges

# The server reads the keys of an object in order, and wants the first of each pair before the second.
ORDERED = (("function_name", "model_config"), ("column_type", "value"))


class Difference(AssertionError):
    """What came out is not what was recorded."""


def replay(exchange: Exchange, router: Router) -> None:
    """Raise Difference where the package and the recording disagree."""
    match = router.find(exchange.request.method, exchange.request.path)
    if exchange.response.status >= 400:
        return _replay_error(exchange, match)
    if match is None:
        raise Difference("no endpoint has this route")
    request = read_request(match, exchange.request)
    _same_request(exchange, to_http(request, match.route))
    _same_answer(exchange, request)
    return None


def _replay_error(exchange: Exchange, match: Match | None) -> None:
    got = exchange.response
    recorded = _decoded(got)
    error = recorded.get("error", "") if isinstance(recorded, dict) else recorded
    kind, reason = (error.get("type", ""), error.get("reason", "")) if isinstance(error, dict) else ("", error)
    raised = _raised(exchange, match)
    if (raised.status, raised.type, raised.reason) != (got.status, kind, reason):
        raise Difference(f"raised {raised.status} {raised.type!r} {raised.reason!r}")
    if raised.body != recorded:
        raise Difference("the body was not kept")


def _decoded(got: HttpResponse) -> Any:
    try:
        return got.json()
    except ValueError:
        return got.text


def _raised(exchange: Exchange, match: Match | None) -> ApiError:
    if match is None:
        # A route that is no endpoint's: what session.request(...) would raise.
        return error_for(exchange.response)
    try:
        # Which request was sent does not matter to an error, and a refused one need not fit its class.
        from_http(match.request.__new__(match.request), exchange.response)
    except ApiError as error:
        return error
    raise Difference("no error was raised")


def _same_request(exchange: Exchange, written: HttpRequest) -> None:
    recorded = exchange.request
    for part in ("method", "path", "query"):
        if getattr(written, part) != getattr(recorded, part):
            raise Difference(f"{part} written as {getattr(written, part)!r}")
    if not exchange.whole:
        if written.body != recorded.body:
            raise Difference("raw bytes were changed")
        return
    if (written.body is None) != (recorded.body is None):
        raise Difference(f"body written as {written.body!r}")
    if written.body is not None and recorded.body is not None:
        _same(orjson.loads(recorded.body), orjson.loads(written.body), "request")
        _ordered(orjson.loads(written.body))


def _same_answer(exchange: Exchange, request: Request[Any]) -> None:
    answer = from_http(request, exchange.response)
    for where, extra in _extras(answer, "answer"):
        raise Difference(f"{where} holds keys that no field takes: {sorted(extra)}")
    _same(exchange.response.json(), convert.unstructure(answer, type(request).endpoint.returns), "answer")


def _same(recorded: Any, written: Any, where: str) -> None:
    """JSON equality: the order of keys does not matter, true is not 1, 1 is 1.0."""
    if isinstance(recorded, dict) and isinstance(written, dict):
        if recorded.keys() != written.keys():
            raise Difference(f"{where} has the keys {sorted(written)}, recorded are {sorted(recorded)}")
        for key, value in recorded.items():
            _same(value, written[key], f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(written, list | tuple):
        if len(recorded) != len(written):
            raise Difference(f"{where} has {len(written)} items, recorded are {len(recorded)}")
        for index, (one, other) in enumerate(zip(recorded, written, strict=True)):
            _same(one, other, f"{where}[{index}]")
    elif isinstance(recorded, bool) is not isinstance(written, bool) or recorded != written:
        raise Difference(f"{where} is {written!r}, recorded is {recorded!r}")


def _ordered(value: Any) -> None:
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _ordered(part)
    for first, second in ORDERED:
        if isinstance(value, dict) and first in value and second in value:
            keys = list(value)
            if keys.index(first) > keys.index(second):
                raise Difference(f"{first} must stand before {second}")


def _extras(value: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, Record) and value.extra:
        yield where, value.extra
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _extras(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _extras(part, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _extras(part, f"{where}[{index}]")


def resource_of(match: Match | None) -> str | None:
    """The resource that an endpoint belongs to: the name of its module."""
    return match.request.__module__.rpartition(".")[2] if match else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay files; print each failure and how many passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.replay", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=FILES, help="recordings (default: all of the project's)")
    names = sorted({cls.__module__.rpartition(".")[2] for cls in ENDPOINTS})
    parser.add_argument("--only", nargs="+", choices=names, metavar="RESOURCE", help=f"of {', '.join(names)}")
    options = parser.parse_args(arguments)
    router = Router()
    passed = failed = skipped = 0
    for exchange in exchanges(options.files):
        if (
            options.only
            and resource_of(router.find(exchange.request.method, exchange.request.path)) not in options.only
        ):
            skipped += 1
            continue
        try:
            replay(exchange, router)
            passed += 1
        except Exception as error:
            failed += 1
            print(f"FAILED {exchange}\n       {type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if options.only else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
