"""Many users at once over one session, each with a credential of its own: ``python -m tests.net.hundred_users 200``.

The number is that of the calls of each of 100 users. Meanwhile nodes refuse, drop connections, die and come back,
tokens expire, and calls are cancelled. The nodes tell whose credential each request carried.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from aiomlcommons import Backoff, BasicAuth, BearerAuth, MLCommonsError, Session
from tests.support.users_server import Users, nodes_of

USERS, NODES, RETRIES = 100, 3, 20
# The share of the calls after which these nodes are dead.
DEATHS: Sequence[tuple[float, set[str]]] = ((0.2, {"node-1"}), (0.4, set()), (0.6, {"node-0", "node-2"}), (0.8, set()))
_Headers: TypeAlias = Mapping[str, str] | None
# Every so many calls of a user one is cancelled.
CANCELLED = 7


@attrs.define
class Result:
    """What the nodes saw, and what the calls came to."""

    users: Users
    calls: Counter[str] = attrs.field(factory=Counter)

    def __str__(self) -> str:
        seen, calls, issued = self.users.seen, self.calls, self.users.issued
        return "\n".join(
            [
                f"{sum(calls.values()):,} calls of {USERS} users: {calls['right']:,} answered as the right user, "
                f"{calls['wrong']:,} as another, {calls['cancelled']:,} cancelled, {calls['failed']:,} failed",
                f"{sum(self.users.by_node.values()):,} requests: {seen['own']:,} with their own credential, "
                f"{seen['another']:,} with that of another, {seen['nobody']:,} with none of a user",
                f"of these {seen['busy']:,} got 429 or 503, {seen['dropped']:,} no answer, {seen['401']:,} got 401",
                f"{sum(issued.values()):,} tokens for {len(issued)} users, {len(self.users.expired):,} expired",
                f"requests by node: {', '.join(f'{count:,}' for _, count in sorted(self.users.by_node.items()))}",
            ]
        )


def view_of(ml: Session, users: Users, name: str, kind: int) -> Session:
    """Return the view of a user: with a pair, a token, a token function, sync or async, or a header of view or call."""
    if kind == 0:
        users.register(name, _basic(name, f"password of {name}"))
        return ml.options(auth=(name, f"password of {name}"))
    if kind == 1:
        users.register(name, f"Bearer fixed-{name}")
        return ml.options(auth=BearerAuth(f"fixed-{name}"), timeout=60)
    if kind == 2:
        return ml.options(auth=BearerAuth(lambda: users.issue(name)))
    if kind == 3:
        return ml.options(auth=BearerAuth(_slowly(users, name)))
    users.register(name, f"Custom {name}")
    return ml.options(headers={"Authorization": f"Custom {name}"}) if kind == 4 else ml


def _slowly(users: Users, name: str) -> Callable[[], Any]:
    async def fetch() -> str:
        await asyncio.sleep(0)
        return users.issue(name)

    return fetch


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def run(calls: int, *, users: int = USERS, chance: float = 0.04) -> Result:
    """Let all users make so many calls each, at once."""
    deaths = [(share * calls * users, dead) for share, dead in DEATHS]
    found = Users(chance=chance, deaths=deaths)
    found.register("service", _basic("service", "of all"))
    result = Result(found)
    async with nodes_of(found, NODES) as urls:
        options: Mapping[str, Any] = {"retries": RETRIES, "backoff": Backoff(first=0), "pool_size": 2 * USERS + 1}
        async with Session(urls, auth=BasicAuth("service", "of all"), **options) as ml:
            each = [_user(result, ml, f"user-{number}", number % 6, calls) for number in range(users)]
            await asyncio.gather(_user_of_session(result, ml, calls), *each)
    return result


async def _user(result: Result, ml: Session, name: str, kind: int, calls: int) -> None:
    view = view_of(ml, result.users, name, kind)
    headers = {"Authorization": f"Custom {name}"} if view is ml else None
    # Two at once of the same user as well: they share a token.
    await asyncio.gather(*(_calls(result, view, name, range(first, calls, 2), headers) for first in range(2)))


async def _user_of_session(result: Result, ml: Session, calls: int) -> None:
    await _calls(result, ml, "service", range(calls), None)


async def _calls(result: Result, view: Session, name: str, numbers: range, headers: _Headers) -> None:
    for number in numbers:
        call = asyncio.create_task(_call(result, view, f"/_user/{name}/{number}", headers))
        if number % CANCELLED == CANCELLED - 1:
            for _ in range(number):
                await asyncio.sleep(0)
            call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            result.calls["cancelled"] += 1


async def _call(result: Result, view: Session, path: str, headers: _Headers) -> None:
    try:
        answer = await view.request("GET", path, headers=headers)
    except MLCommonsError:
        result.calls["failed"] += 1
    else:
        is_right = path.startswith(f"/_user/{answer.json()['user_name']}/")
        result.calls["right" if is_right else "wrong"] += 1


if __name__ == "__main__":
    print(asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 50)))
