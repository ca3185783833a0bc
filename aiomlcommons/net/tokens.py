"""Tokens that a function fetches: kept until they expire or are refused, and fetched by one call at a time."""

from __future__ import annotations

import asyncio
import base64
import inspect
import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import orjson

from aiomlcommons.net.rules import Rule
from aiomlcommons.net.secret import Secret, as_secret, reveal

TokenFunction: TypeAlias = Callable[[], "str | Secret | Awaitable[str | Secret]"]
# Seconds before its end from which a token is not sent any more: a request takes a while, and clocks differ.
EARLY = 30.0
_VISIBLE = re.compile(r"[!-~]+")
TOKEN = Rule(
    (str, Secret),
    "a text or a Secret of visible ASCII characters: no line end, as of a file, and no 'Bearer '",
    lambda token: _VISIBLE.fullmatch(reveal(token)),
    secret=True,
)
"""What is a token, as it is valid in a header."""


class Tokens:
    """A token, or that of a function: the first caller that needs one calls it, and all others wait for the result."""

    def __init__(self, source: Secret | TokenFunction) -> None:
        self._source = source
        self._token: Secret | None = None
        self._expires = math.inf
        self._flight: asyncio.Task[Secret] | None = None
        self._waiting = 0

    async def get(self) -> Secret:
        """Return the token; fetch one first if there is none, or it expires. Raises what the function raises."""
        if isinstance(self._source, Secret):
            return self._source
        if self._token is None or time.time() >= self._expires:
            return await self._fetched(self._source)
        return self._token

    async def other_than(self, refused: str) -> bool:
        """Return whether there is another token than the one that was refused; fetch one if it is still that one."""
        if isinstance(self._source, Secret):
            return False
        token = self._token
        if token is None or token.reveal() == refused:
            token = await self._fetched(self._source)
        return token.reveal() != refused

    async def _fetched(self, function: TokenFunction) -> Secret:
        """Wait for the running call of the function, or start it. It is cancelled with the last that waits for it."""
        flight = self._flight
        # One loop cannot wait for the task of another: sessions in several threads may share these credentials.
        if flight is None or flight.done() or flight.get_loop() is not asyncio.get_running_loop():
            flight = self._flight = asyncio.create_task(self._fetch(function))
            self._waiting = 0
        self._waiting += 1
        try:
            return await asyncio.shield(flight)
        finally:
            if flight is self._flight:
                self._waiting -= 1
                if not self._waiting:
                    self._flight = None
                    flight.cancel()  # has no effect on one that is done

    async def _fetch(self, function: TokenFunction) -> Secret:
        result = function()
        found = await result if inspect.isawaitable(result) else result
        TOKEN.check("the token that the function returns", found)
        token = as_secret(found)
        self._token, self._expires = token, _end_of(token.reveal()) - EARLY
        return token

    def __reduce__(self) -> Any:
        return type(self), (self._source,)


def _end_of(token: str) -> float:
    """Return when a JWT expires, in seconds of the epoch; never, for what is no JWT or does not say."""
    # Read, not verified: only the cluster can tell whether it is genuine.
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return math.inf
