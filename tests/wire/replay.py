"""Check the package against recordings of real servers: ``python -m tests.wire.replay FILE_OR_FOLDER...``.

For each exchange the endpoint is found by method and path, old names included. If the status is below 300, request and
response are decoded into their classes and encoded again: the round trip must be lossless, with nothing in ``extra``. A
stream is decoded frame by frame, in pieces of several sizes: each frame must survive the round trip, and one that
reports an error must raise it. If the status is 300 or above, the raised error must have the recorded status, type and
reason. Of exchanges with other APIs (``_cat``, ``_update``, ``_mget``), which are counted separately, only errors are
checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from aiomlcommons import ENDPOINTS
from aiomlcommons.endpoint import Request
from aiomlcommons.errors import ApiError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.statuses import error_for
from aiomlcommons.stream import StreamRequest
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import from_http, to_http
from aiomlcommons.wire.routes import Match, Router, read_request
from tests.wire.compare import Difference, no_extras, ordered, same
from tests.wire.recordings import FILES, Exchange, exchanges, files_in, is_other
from tests.wire.streams import replay_stream

LINES = "application/x-ndjson"
NOTHING = b"{}"
# The server takes no body and an empty one for the same; the package sends none.
EMPTY = ("indices.put_index.empty_object",)


def replay(exchange: Exchange, router: Router) -> None:
    """Raise Difference where the package and the recording disagree."""
    match = router.find(exchange.request.method, exchange.request.path)
    if exchange.response.status >= 300:
        return _replay_error(exchange, match)
    if is_other(exchange.request, router):
        return None
    if match is None:
        raise Difference("no endpoint has this route")
    request = read_request(match, exchange.request)
    _same_request(exchange, to_http(request, match.route))
    if exchange.answered_whole:
        _same_answer(exchange, request)
    return None


def _replay_error(exchange: Exchange, match: Match | None) -> None:
    got = exchange.response
    recorded = _decoded(got)
    error = recorded.get("error", "") if isinstance(recorded, dict) else recorded
    kind, reason = (error.get("type", ""), error.get("reason", "")) if isinstance(error, dict) else ("", error)
    raised = _raised(exchange, match)
    if isinstance(recorded, dict) and "error" not in recorded:
        reason = raised.reason  # a missing document: the server says where it is not, and gives no reason
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
        # Not a route of an endpoint: the error that session.request(...) would raise.
        return error_for(exchange.response)
    try:
        # An error does not depend on its request, and a refused request need not fit its class.
        from_http(match.request.__new__(match.request), exchange.response)
    except ApiError as error:
        return error
    raise Difference("no error was raised")


def _same_request(exchange: Exchange, written: HttpRequest) -> None:
    recorded = attrs.evolve(exchange.request, path=exchange.request.path.replace(",", "%2C").replace("*", "%2A"))
    for part in ("method", "path", "query"):
        if getattr(written, part) != getattr(recorded, part):
            raise Difference(f"{part} written as {getattr(written, part)!r}")
    if recorded.body == NOTHING and exchange.case in EMPTY and written.body is None:
        return
    if not exchange.whole or recorded.headers.get("content-type") == LINES:
        if written.body != recorded.body:
            raise Difference("raw bytes were changed")
        return
    if (written.body is None) != (recorded.body is None):
        raise Difference(f"body written as {written.body!r}")
    if written.body is not None and recorded.body is not None:
        same(orjson.loads(recorded.body), orjson.loads(written.body), "request")
        ordered(orjson.loads(written.body))


def _same_answer(exchange: Exchange, request: Request[Any]) -> None:
    if isinstance(request, StreamRequest):
        return replay_stream(request, exchange.response)
    answer = from_http(request, exchange.response)
    no_extras(answer, "answer")
    # An empty body is valid too: the response to a notification is 202 without one.
    recorded = exchange.response.json() if exchange.response.body else None
    return same(recorded, convert.unstructure(answer, type(request).endpoint.returns), "answer")


def resource_of(match: Match | None) -> str | None:
    """Return the resource of an endpoint: the name of its module."""
    return match.request.__module__.rpartition(".")[2] if match else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay files; print each failure and how many passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.replay", description=__doc__)
    what = "recordings, or folders of them (default: all of the project's)"
    parser.add_argument("paths", nargs="*", type=Path, default=FILES, help=what)
    names = sorted({cls.__module__.rpartition(".")[2] for cls in ENDPOINTS})
    parser.add_argument("--only", nargs="+", choices=names, metavar="RESOURCE", help=f"of {', '.join(names)}")
    options = parser.parse_args(arguments)
    router = Router(ENDPOINTS)
    passed = failed = others = skipped = 0
    for exchange in exchanges(files_in(options.paths)):
        if options.only and _resource(exchange, router) not in options.only:
            skipped += 1
            continue
        try:
            replay(exchange, router)
        except Exception as error:
            failed += 1
            print(f"FAILED {exchange}\n       {type(error).__name__}: {error}")
        else:
            is_others = is_other(exchange.request, router)
            others += is_others
            passed += not is_others
    print(f"{passed} passed, {failed} failed, {others} other APIs'" + (f", {skipped} skipped" if options.only else ""))
    return 1 if failed else 0


def _resource(exchange: Exchange, router: Router) -> str | None:
    return resource_of(router.find(exchange.request.method, exchange.request.path))


if __name__ == "__main__":
    sys.exit(main())
