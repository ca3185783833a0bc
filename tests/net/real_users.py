"""Users of a real cluster with the security plugin, at once over one session: ``python -m tests.net.real_users``.

The environment names the cluster and its administrator. Users are created, each asks who it is at the same time as the
others, with and without a wrong password in between, and they are removed again.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections import Counter

from aiomlcommons import Session, Unauthorized

USERS, CALLS = 20, 100
API = "/_plugins/_security/api/internalusers"


async def who(ml: Session) -> str:
    """Return the name of the user whose credential a session sends."""
    return str((await ml.request("GET", "/_plugins/_security/authinfo")).json()["user_name"])


async def main() -> int:
    """Print how many calls were answered as the right user; return the exit code."""
    passwords = {f"canary-user-{number}": f"Pw-{secrets.token_urlsafe(12)}!1a" for number in range(USERS)}
    counts = Counter({"right": 0, "another": 0, "secrets in the error": 0})
    async with Session.from_env() as ml:
        service = await who(ml)
        for name, password in passwords.items():
            await ml.request("PUT", f"{API}/{name}", body={"password": password})
        try:
            names = [list(passwords)[number % USERS] for number in range(CALLS)]
            calls = [_call(ml, name, passwords[name], number, counts) for number, name in enumerate(names)]
            await asyncio.gather(*calls)
            counts["service"] = int(await who(ml) == service)
        finally:
            for name in passwords:
                await ml.request("DELETE", f"{API}/{name}")
    print(f"{CALLS} calls of {USERS} users at once, with calls of {service!r} and wrong passwords between them:")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return int(counts["right"] != CALLS or counts["another"] > 0 or counts["service"] != 1)


async def _call(ml: Session, name: str, password: str, number: int, counts: Counter[str]) -> None:
    if number % 10 == 0:
        try:
            await who(ml.options(auth=(name, "wrong-password")))
        except Unauthorized as error:
            counts["wrong passwords refused"] += 1
            counts["secrets in the error"] += "wrong-password" in f"{error!r} {vars(error)}"
    counts["right" if await who(ml.options(auth=(name, password))) == name else "another"] += 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
