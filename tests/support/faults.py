"""Faults of a network, for ``fault_proxy.py``: each strikes at byte ``at`` of a request or of its answer."""

from __future__ import annotations

import asyncio
import random

import attrs

from tests.support.fault_proxy import Link, Way


@attrs.define
class Strike:
    """A fault that passes on what comes before byte ``at`` of its way, and leaves the other way alone."""

    way: Way
    at: int = 0
    passed: int = 0
    has_struck: bool = False

    async def begin(self, link: Link) -> None:
        """Do nothing before the first byte."""

    async def through(self, link: Link, way: Way, piece: bytes) -> None:
        """Pass on what comes before the byte, and strike at it."""
        if way is not self.way:
            await link.write(way, piece)
            return
        left = max(self.at - self.passed, 0)
        self.passed += len(piece)
        if left:
            await link.write(way, piece[:left])
        if piece[left:]:
            if not self.has_struck:
                self.has_struck = True
                link.on_strike()
            await self.strike(link, piece[left:])

    async def strike(self, link: Link, rest: bytes) -> None:
        """Do with the bytes from ``at`` on what the fault is."""
        raise NotImplementedError


@attrs.define
class Cut(Strike):
    """The connection ends: by FIN, or with ``rst`` by RST."""

    rst: bool = False

    async def strike(self, link: Link, rest: bytes) -> None:
        """End both connections."""
        link.reset() if self.rst else link.close()


@attrs.define
class HalfClose(Strike):
    """FIN on one way only: nothing more comes, and the other way stays open."""

    async def strike(self, link: Link, rest: bytes) -> None:
        """Shut the way."""
        writer = link.target(self.way)
        if writer.can_write_eof() and not writer.transport.is_closing():
            writer.write_eof()
        link.fault = Swallow(self.way)


@attrs.define
class Swallow(Strike):
    """A blackhole: the bytes vanish, and nobody is told."""

    async def strike(self, link: Link, rest: bytes) -> None:
        """Do nothing with them."""


@attrs.define
class Clog(Strike):
    """Nothing is read any more, so that who sends cannot go on; after so many ``seconds`` it flows again."""

    seconds: float | None = None

    async def strike(self, link: Link, rest: bytes) -> None:
        """Wait, then send."""
        try:
            async with asyncio.timeout(self.seconds):
                await link.is_freed.wait()
            link.close()
        except TimeoutError:
            await link.write(self.way, rest)


@attrs.define
class Late(Clog):
    """Latency: the bytes come ``seconds`` later, all at once."""

    seconds: float | None = 0.02


@attrs.define
class Jitter(Strike):
    """Pieces of random sizes come after random pauses, of up to ``seconds``."""

    seconds: float = 0.01
    seed: int = 0
    longest: int = 4096

    async def strike(self, link: Link, rest: bytes) -> None:
        """Send it in pieces."""
        chance = random.Random(self.seed)  # noqa: S311 - not for cryptography
        while rest:
            size = chance.randint(1, self.longest)
            await asyncio.sleep(chance.uniform(0, self.seconds))
            await link.write(self.way, rest[:size])
            rest = rest[size:]


@attrs.define
class Trickle(Strike):
    """Little bandwidth: ``size`` bytes at a time, ``pause`` seconds apart."""

    size: int = 1024
    pause: float = 0.001

    async def strike(self, link: Link, rest: bytes) -> None:
        """Send it slowly."""
        for first in range(0, len(rest), self.size):
            await link.write(self.way, rest[first : first + self.size])
            await asyncio.sleep(self.pause)


@attrs.define
class Insert(Strike):
    """Bytes that nobody sent come in between, once."""

    words: bytes = b"\x00\xff\x16\x03SSH-2.0\r\n\r\n"

    async def strike(self, link: Link, rest: bytes) -> None:
        """Send them, and what was sent."""
        self.at = 2**62
        await link.write(self.way, self.words + rest)


@attrs.define
class Duplicate(Strike):
    """``size`` bytes come twice."""

    size: int = 16

    async def strike(self, link: Link, rest: bytes) -> None:
        """Send them again."""
        self.at = 2**62
        await link.write(self.way, rest[: self.size] + rest)


@attrs.define
class Lose(Strike):
    """``size`` bytes are lost, and what follows comes."""

    size: int = 16

    async def strike(self, link: Link, rest: bytes) -> None:
        """Send only what follows."""
        self.at = 2**62
        if rest[self.size :]:
            await link.write(self.way, rest[self.size :])


@attrs.define
class Reply(Strike):
    """Something before the server answers in its place, such as a gateway, and closes the connection."""

    words: bytes = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

    async def strike(self, link: Link, rest: bytes) -> None:
        """Answer, and close."""
        link.server[1].transport.abort()
        await link.write(Way.ANSWER, self.words)
        link.close()


@attrs.define
class Freeze:
    """A blackhole from the beginning of the request on, both ways."""

    async def begin(self, link: Link) -> None:
        """Say that it strikes."""
        link.on_strike()

    async def through(self, link: Link, way: Way, piece: bytes) -> None:
        """Do nothing with the bytes."""


@attrs.define
class SlowAccept:
    """The request waits ``seconds`` before any of it is passed on."""

    seconds: float = 0.02

    async def begin(self, link: Link) -> None:
        """Wait."""
        link.on_strike()
        await asyncio.sleep(self.seconds)

    async def through(self, link: Link, way: Way, piece: bytes) -> None:
        """Pass it on."""
        await link.write(way, piece)
