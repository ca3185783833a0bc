"""The kinds of faults of a network, and what is promised under each."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs

from aiomlcommons import ConnectError, DecodeError, RequestTimeout
from aiomlcommons.errors import MLCommonsError, Unavailable
from tests.support.fault_proxy import Fault, FaultProxy, Way
from tests.support.faults import (
    Clog,
    Cut,
    Duplicate,
    Freeze,
    HalfClose,
    Insert,
    Jitter,
    Late,
    Lose,
    Reply,
    SlowAccept,
    Swallow,
    Trickle,
)

Arm: TypeAlias = "Callable[[FaultProxy, Moment], None]"

REPEATED = "what is safe to repeat succeeds; else the error says whether it was sent, and nothing is done twice"
UNSENT = "everything but a stream succeeds, since nothing was sent, within the session's wait"
UNHARMED = "everything succeeds, however slow, and is sent once"
NOTICED = "never taken for an answer: repeated where that is safe, else a clear error"
GARBLED = "what cannot be read is an error, repeated where it is no HTTP any more; a job loses nothing"
SHORT, LONG = 1.0, 30.0
STRAY = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"name":"stray"}'


@attrs.frozen
class Moment:
    """When a fault strikes: after ``skip`` requests that match ``on``, at a byte that ``chance`` draws."""

    chance: random.Random
    on: str = ""
    skip: int = 0


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of fault. ``patience`` are the seconds that the session waits; ``errors`` are those that it may raise.

    ``mends``: what is safe to repeat succeeds in spite of it. ``harmless``: so does all else. ``warm``: it needs a
    connection that was used before. ``settles``: the client hears of it before the work begins. ``unsent``: nothing
    reaches the server, so everything but a stream is sent again. ``tls``: it is one of TLS, where an exchange is a
    connection. ``wait`` is that of the session.
    """

    name: str
    promise: str
    arm: Arm
    errors: tuple[type[MLCommonsError], ...] = (ConnectError,)
    patience: float = LONG
    mends: bool = True
    harmless: bool = False
    warm: bool = False
    settles: bool = False
    unsent: bool = False
    wait: float = 0.0
    tls: bool = False


def struck(make: Callable[[int], Fault], first: int, last: int) -> Arm:
    """Return what arms a fault for one exchange, at a byte between two."""

    def arm(proxy: FaultProxy, moment: Moment) -> None:
        proxy.arm(make(moment.chance.randint(first, last)), on=moment.on, skip=moment.skip)

    return arm


def once(fault: Fault) -> Arm:
    """Return what arms a fault for one exchange."""
    return struck(lambda _: fault, 0, 0)


def all_over(*faults: Fault) -> Arm:
    """Return what arms faults for every exchange of the work, in turns."""

    def arm(proxy: FaultProxy, moment: Moment) -> None:
        proxy.arm(moment.chance.choice(faults), times=None)

    return arm


def at_once(deed: Callable[[FaultProxy], None]) -> Arm:
    """Return what happens to the proxy before the work."""

    def arm(proxy: FaultProxy, _: Moment) -> None:
        deed(proxy)
        proxy.struck += 1

    return arm


def on_new(make: Callable[[int], Fault], first: int, last: int) -> Arm:
    """Return a fault of the next new connection, at a byte between two."""

    def arm(proxy: FaultProxy, moment: Moment) -> None:
        proxy.cut()
        proxy.arm(make(moment.chance.randint(first, last)))

    return arm


def refused(proxy: FaultProxy) -> None:
    """Refuse connections for a moment."""
    proxy.refuse()
    proxy.cut()
    proxy.listen_in(0.03)


def ignored(proxy: FaultProxy) -> None:
    """Let no connection be answered for longer than the session waits for one."""
    proxy.ignore()
    proxy.cut()
    proxy.listen_in(SHORT)


def page(status: int, reason: str, headers: str = "") -> bytes:
    """Return what a gateway answers in place of the server, which then closes the connection."""
    body = f"<html><title>{status} {reason}</title></html>"
    head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/html\r\nconnection: close\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


def _kinds() -> list[Kind]:
    request, answer = Way.REQUEST, Way.ANSWER
    broken = partial(Kind, promise=REPEATED)
    silent = partial(Kind, promise=REPEATED, errors=(RequestTimeout,), patience=SHORT)
    slow = partial(Kind, promise=UNHARMED, harmless=True)
    garbled = partial(Kind, promise=GARBLED, errors=(ConnectError, DecodeError), patience=SHORT, warm=True, mends=False)
    false = partial(Kind, promise=NOTICED, errors=(ConnectError, DecodeError), warm=True)
    gateway = partial(Kind, promise=REPEATED, errors=(Unavailable,))
    return [
        broken(name="RST as a connection begins", arm=on_new(partial(Cut, request, rst=True), 0, 0)),
        broken(name="FIN as a connection begins", arm=on_new(partial(Cut, request), 0, 0)),
        broken(name="FIN within the request", arm=struck(partial(Cut, request), 1, 400)),
        broken(name="RST within the request", arm=struck(partial(Cut, request, rst=True), 1, 400)),
        broken(name="FIN in place of the answer", arm=once(Cut(answer))),
        broken(name="RST in place of the answer", arm=once(Cut(answer, rst=True))),
        broken(name="FIN within the head of the answer", arm=struck(partial(Cut, answer), 1, 60)),
        broken(name="RST within the head of the answer", arm=struck(partial(Cut, answer, rst=True), 1, 60)),
        broken(name="FIN within the body of the answer", arm=struck(partial(Cut, answer), 150, 260)),
        broken(name="RST within the body of the answer", arm=struck(partial(Cut, answer, rst=True), 150, 260)),
        broken(name="half-close by the server", arm=struck(partial(HalfClose, answer), 0, 260)),
        broken(name="half-close towards the server", arm=struck(partial(HalfClose, request), 0, 300)),
        broken(name="idle connections end by FIN", arm=at_once(FaultProxy.cut), warm=True),
        broken(name="idle connections end by RST", arm=at_once(partial(FaultProxy.cut, rst=True)), warm=True),
        silent(name="blackhole from the request on", arm=once(Freeze())),
        silent(name="blackhole within the request", arm=struck(partial(Swallow, request), 1, 400)),
        silent(name="blackhole in place of the answer", arm=once(Swallow(answer))),
        silent(name="silence within the answer", arm=struck(partial(Swallow, answer), 1, 260)),
        silent(name="a request that is not read", arm=struck(partial(Clog, request), 0, 400)),
        garbled(name="bytes of the answer are lost", arm=struck(partial(Lose, answer), 150, 260)),
        slow(name="latency", arm=all_over(Late(answer, seconds=0.01), Late(request, seconds=0.01))),
        slow(
            name="jitter, in pieces of any size",
            arm=all_over(Jitter(answer, seconds=0.002), Jitter(request, seconds=0.002)),
        ),
        slow(name="bandwidth of 1 MB/s", arm=all_over(Trickle(answer), Trickle(request))),
        slow(name="the answer byte by byte", arm=once(Trickle(answer, size=1, pause=0.0))),
        slow(name="the request byte by byte", arm=once(Trickle(request, size=1, pause=0.0))),
        slow(name="a slow accept", arm=on_new(lambda _: SlowAccept(), 0, 0), settles=True),
        slow(name="a stall in the middle that ends", arm=struck(partial(Clog, answer, seconds=0.05), 1, 260)),
        slow(
            name="interim answers before the answer",
            arm=once(Insert(answer, words=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3)),
        ),
        false(name="garbage before the answer", arm=once(Insert(answer))),
        garbled(name="garbage within the head of the answer", arm=struck(partial(Insert, answer), 1, 60)),
        garbled(name="garbage within the body of the answer", arm=struck(partial(Insert, answer), 150, 260)),
        garbled(name="bytes of the head come twice", arm=struck(partial(Duplicate, answer), 1, 60)),
        garbled(name="bytes of the body come twice", arm=struck(partial(Duplicate, answer), 150, 260)),
        false(
            name="an answer to nobody on an idle connection",
            arm=at_once(partial(FaultProxy.say, words=STRAY)),
            warm=True,
        ),
        broken(
            name="the port refuses for a while",
            promise=UNSENT,
            arm=at_once(refused),
            unsent=True,
            settles=True,
            warm=True,
            wait=5.0,
        ),
        silent(
            name="nobody answers at the address for a while",
            promise=UNSENT,
            arm=at_once(ignored),
            unsent=True,
            settles=True,
            warm=True,
            wait=5.0,
        ),
        gateway(
            name="a gateway that cannot reach the server (502)",
            arm=once(Reply(request, words=page(502, "Bad Gateway"))),
        ),
        gateway(
            name="a gateway with Retry-After (503)",
            arm=once(Reply(request, words=page(503, "Service Unavailable", "retry-after: 0\r\n"))),
        ),
        gateway(
            name="a gateway that gives up after the request (504)",
            arm=once(Reply(answer, words=page(504, "Gateway Timeout"))),
        ),
        false(
            name="garbage on an idle connection", arm=at_once(partial(FaultProxy.say, words=b"\x15\x03\x01")), warm=True
        ),
    ]


def _of_tls() -> list[Kind]:
    request, answer = Way.REQUEST, Way.ANSWER
    shaking = partial(Kind, promise=UNSENT, tls=True, unsent=True, settles=True, warm=True)
    shaken = partial(Kind, promise=REPEATED, tls=True, settles=True, warm=True)
    plain = page(400, "The plain HTTP request was sent to HTTPS port")
    return [
        shaking(name="FIN within the client's hello", arm=on_new(partial(Cut, request), 0, 100)),
        shaking(name="RST within the client's hello", arm=on_new(partial(Cut, request, rst=True), 0, 100)),
        shaking(name="FIN within the server's handshake", arm=on_new(partial(Cut, answer), 0, 500)),
        shaking(name="RST within the server's handshake", arm=on_new(partial(Cut, answer, rst=True), 0, 500)),
        shaking(name="silence within the handshake", arm=on_new(partial(Swallow, answer), 0, 500), patience=SHORT),
        shaking(name="garbage within the handshake", arm=on_new(partial(Insert, answer), 0, 100)),
        shaking(name="an answer without TLS", arm=on_new(partial(Reply, request, words=plain), 0, 0)),
        shaken(name="FIN within a record", arm=on_new(partial(Cut, answer), 1500, 2600)),
        shaken(name="RST within a record", arm=on_new(partial(Cut, answer, rst=True), 1500, 2600)),
        shaken(name="silence within a record", arm=on_new(partial(Swallow, answer), 1500, 2600), patience=SHORT),
        shaken(name="bytes of a record come twice", arm=on_new(partial(Duplicate, answer), 1500, 2600), patience=SHORT),
        shaken(name="bytes of a record are lost", arm=on_new(partial(Lose, answer), 1500, 2600), patience=SHORT),
    ]


KINDS = (*_kinds(), *_of_tls())
