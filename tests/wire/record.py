"""Record one exchange with a real server as a line of JSON: ``python -m tests.wire.record CASE METHOD PATH [BODY]``.

``Session.from_env`` says which environment variables name the server. Append the output to the recording of a server of
the same version: ``... >> tests/wire/ml-commons-3.9.0.jsonl``. Headers are not recorded; check that the bodies hold
nothing that must not be published.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson

from aiomlcommons import ApiError, Session
from aiomlcommons.http import JSON, HttpResponse

LINES = "application/x-ndjson"


async def record(ml: Session, case: str, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    """Send a request and return the exchange as ``tests.wire.recordings`` reads it."""
    sent = {} if body is None else _sent(body)
    try:
        response = await ml.request(method, path, body=body, headers=sent.get("headers"), repeatable=False)
    except ApiError as error:
        response = error.response
    return {"case": case, "request": {"method": method, "path": path, **sent}, "response": _recorded(response)}


def _sent(body: bytes) -> dict[str, Any]:
    """Return a body and its type: lines of JSON, such as those of ``_bulk``, are kept as text."""
    if not body.endswith(b"\n"):
        with suppress(orjson.JSONDecodeError):
            return {"headers": {"content-type": JSON}, "body": orjson.loads(body)}
    return {"headers": {"content-type": LINES}, "body_text": body.decode()}


def _recorded(response: HttpResponse) -> dict[str, Any]:
    kind = response.headers.get("content-type", "")
    found = {"status": response.status, "content_type": kind}
    if response.content_type == JSON and response.body:  # a HEAD has none
        return {**found, "body": orjson.loads(response.body)}
    return {**found, "body_base64": base64.b64encode(response.body).decode()}


async def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.record", description=__doc__)
    parser.add_argument("case", help="a name for the exchange, such as models.get_missing")
    parser.add_argument("method")
    parser.add_argument("path", help="with its query string: /_plugins/_ml/models/nope")
    parser.add_argument("body", nargs="?", help="JSON, or lines of JSON that end with a line break")
    options = parser.parse_args(arguments)
    body = None if options.body is None else options.body.encode()
    async with Session.from_env() as ml:
        exchange = await record(ml, options.case, options.method, options.path, body)
    sys.stdout.write(orjson.dumps(exchange, option=orjson.OPT_APPEND_NEWLINE).decode())


if __name__ == "__main__":
    asyncio.run(main())
