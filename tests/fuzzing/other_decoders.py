"""Decoders of anything but a model's numbers: typed answers, errors, streams, ``_bulk``, and the files of bulk jobs."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import attrs
import cbor2
import orjson

from aiomlcommons import ENDPOINTS
from aiomlcommons.api.predict import PredictStream
from aiomlcommons.endpoint import Request
from aiomlcommons.errors import ApiError, MLCommonsError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.errors import SourceError, WrongJob
from aiomlcommons.ingest.json_values import loaded
from aiomlcommons.ingest.sinks._index_actions import Actions
from aiomlcommons.ingest.sinks._index_bulk import outcome
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import BadRow
from aiomlcommons.statuses import error_for
from aiomlcommons.stream import Events, Frames, StreamRequest
from aiomlcommons.wire.codec import from_http
from aiomlcommons.wire.routes import Router
from tests.fuzzing.answers import damaged
from tests.fuzzing.check import Difference
from tests.wire.recordings import exchanges

# Values in place of others.
ODD: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "x", "9" * 5000, "\x00", [], [[]], {}, {"error": {}}, {"a": None}]
# Bytes of a recorded body: longer ones have the same shapes.
LONGEST = 20_000
DEEP = 900


@functools.cache
def _recorded() -> tuple[list[tuple[type[Request[Any]], HttpResponse]], list[HttpResponse]]:
    """Return the good answers of real servers with the classes of their requests, and the errors."""
    router, good, errors = Router(ENDPOINTS), [], []
    for exchange in exchanges():
        match = router.find(exchange.request.method, exchange.request.path)
        if len(exchange.response.body) > LONGEST:
            continue
        if exchange.response.status >= 300:
            errors.append(exchange.response)
        elif match and exchange.answered_whole and not issubclass(match.request, StreamRequest):
            good.append((match.request, exchange.response))
    return good, errors


def _other(random: Random, got: HttpResponse) -> HttpResponse:
    """Return a response with a change: another value somewhere, or damaged bytes."""
    try:
        data = got.json()
    except ValueError:
        return attrs.evolve(got, body=damaged(random, got.body))
    for _ in range(random.choice([0, 1, 1, 2, 5])):
        data = _changed(random, data)
    if got.content_type == "application/cbor":
        body = cbor2.dumps(data, indefinite_containers=True)
    else:
        body = json.dumps(data).encode()
    return attrs.evolve(got, body=damaged(random, body) if random.random() < 0.2 else body)


def _changed(random: Random, data: Any) -> Any:
    if not data or not isinstance(data, dict | list) or random.random() < 0.1:
        return _nested(random) if random.random() < 0.1 else random.choice(ODD)
    keys: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
    key = random.choice(keys)
    if random.random() < 0.1:
        return {k: v for k, v in data.items() if k != key} if isinstance(data, dict) else data[:key]
    changed = dict(data) if isinstance(data, dict) else list(data)
    changed[key] = _changed(random, data[key])
    return changed


def _nested(random: Random) -> Any:
    data: Any = random.choice(ODD)
    form = random.choice(["list", "caused_by", "error", "reason"])
    for _ in range(random.choice([10, 100, DEEP // 3, DEEP])):
        data = [data] if form == "list" else {form: data, "type": "r"}
    # Errors of errors are JSON within strings.
    return json.dumps(data) if random.random() < 0.3 else data


def typed(random: Random) -> None:
    """Decode the answer of any endpoint to its class."""
    request, got = random.choice(_recorded()[0])
    try:
        answer = from_http(request.__new__(request), _other(random, got))
    except MLCommonsError as error:
        str(error)
        return
    repr(answer)


def errors(random: Random) -> None:
    """Make an error of a response."""
    got = _other(random, random.choice(_recorded()[1]))
    odd = ["5", "9" * 5000, "٣", "-1", "x", "Wed, 21 Oct 9999 07:28:00 GMT", "Wed, 99 Foo 2015", "1e5"]
    headers = {**got.headers, "retry-after": random.choice(odd)} if random.random() < 0.5 else got.headers
    error = error_for(attrs.evolve(got, headers=headers))
    if not isinstance(error, ApiError) or error.status != got.status:
        raise Difference(f"{error!r} is not the error of a {got.status}")
    str(error)
    repr(error)


def stream(random: Random) -> None:
    """Cut a stream into pieces: the frames are those of the whole, and every event is one or the package's error."""
    end = random.choice([b"\n", b"\r\n"])
    body = b"".join(b"data: " + _frame(random) + end + end for _ in range(random.randint(0, 4)))
    body = damaged(random, body) if random.random() < 0.4 else body
    pieces, at = [], 0
    while at < len(body):
        size = random.choice([1, 2, 7, 100, 5000])
        pieces.append(body[at : at + size])
        at += size
    frames, whole = Frames(), Frames()
    if [frame for piece in pieces for frame in frames.feed(piece)] != list(whole.feed(body)):
        raise Difference("the frames depend on the pieces")
    left = iter(pieces)

    async def next_piece() -> bytes:
        return next(left, b"")

    events = Events(PredictStream("m"), next_piece)
    while True:
        try:
            event = _run(events.__anext__())
        except (StopAsyncIteration, MLCommonsError):
            return
        repr((event.content, event.is_last, event.memory_id))


def _frame(random: Random) -> bytes:
    answer = {"content": "word", "is_last": random.random() < 0.5}
    data: Any = {"inference_results": [{"output": [{"name": "response", "dataAsMap": answer}]}]}
    if random.random() < 0.2:
        data = {"error": {"type": "a", "reason": "b"}}
    return json.dumps(_changed(random, data) if random.random() < 0.4 else data).encode()


def _run(step: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        step.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def bulk(random: Random) -> None:
    """Read a response of ``_bulk``: every document is accepted, retried or refused."""
    count = random.randint(1, 4)
    error = {"type": "mapper_parsing_exception", "reason": "failed", "caused_by": {"type": "x", "reason": "y"}}
    items = [{"index": {"_id": "a", "status": 201}}, {"index": {"_id": "a", "status": 400, "error": error}}]
    data: Any = {"took": 1, "errors": random.random() < 0.8, "items": [random.choice(items) for _ in range(count)]}
    got = _other(random, HttpResponse(200, json.dumps(data).encode(), {"content-type": "application/json"}))
    refused: list[Any] = []
    action = b'{"index":{}}\n{}\n'
    sent = Actions(action * count, [len(action)] * count, range(count), [refused] * count)
    try:
        found = outcome(got, sent)
    except MLCommonsError:
        return
    if len(found.retry) + len(refused) > count:
        raise Difference("a document was counted twice")


def numbers_of_json(random: Random) -> None:
    """Parse JSON that keeps all digits, as Python's own module does."""
    value = [random.choice([10**30, 5, 1.5, -(2**64), "ä\u2028", None, {"a": [2**63]}]) for _ in range(3)]
    text = json.dumps(value, ensure_ascii=random.random() < 0.5).encode()
    body = damaged(random, text) if random.random() < 0.6 else text
    try:
        found = loaded(body)
    except ValueError:
        if body == text:
            raise Difference(f"{text!r} is JSON") from None
        return
    if found != json.loads(body) or repr(found) != repr(json.loads(body)):
        raise Difference(f"{body!r} became {found!r}")


def dead_letters(random: Random) -> None:
    """Read dead letters: a damaged line is an error that names it."""
    row: Any = random.choice([{"id": "a", "text": "x"}, BadRow("why", "line 3", "raw"), [1], None])
    letters = [DeadLetter(i, random.choice(["a", None]), "why", row) for i in range(2)]
    whole = b"".join(letter.line() for letter in letters)
    body = damaged(random, whole) if random.random() < 0.7 else whole
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        try:
            found = list(read_dead_letters(file.name))
        except SourceError:
            if body == whole:
                raise Difference("they are dead letters") from None
            return
    if body == whole and found != letters:
        raise Difference(f"{found} are not {letters}")


def checkpoints(random: Random) -> None:
    """Read a checkpoint file: the last whole line counts, and one that is damaged is an error."""
    header = {"job": 1, "model": "m"}
    made = [Checkpoint(done=i, beyond=[(i + 2, i + 3)], position=[i], counts={"a": i}) for i in range(3)]
    lines = [orjson.dumps(line) for line in (header, *map(attrs.asdict, made))]
    if random.random() < 0.5:
        i = random.randrange(4)
        lines[i] = json.dumps(_changed(random, orjson.loads(lines[i]))).encode()
    whole = b"".join(line + b"\n" for line in lines)
    body = damaged(random, whole) if random.random() < 0.5 else whole
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint")
        path.write_bytes(body)
        try:
            CheckpointFile.peek(path)
            CheckpointFile.check(path, header)
        except WrongJob as error:
            str(error)


OTHERS: dict[str, Callable[[Random], None]] = {
    "typed": typed,
    "errors": errors,
    "stream": stream,
    "bulk": bulk,
    "json": numbers_of_json,
    "dead_letters": dead_letters,
    "checkpoints": checkpoints,
}
