"""Who calls: passwords, tokens, client certificates, and what is refused of them."""

from __future__ import annotations

import secrets
import time

import anyio
import pytest
from anyio import to_thread

from aiomlcommons import BearerAuth, ConnectError, Session, Unauthorized
from tests.opensearch.secured.case import Scene, collector

USERS, CALLS = 20, 100
# A server takes a second and more to check a wrong password, on purpose.
WRONG = 2
EXPIRED = 1_600_000_000

CASES, case = collector()


async def who(ml: Session) -> str:
    """Return the name of the user that the cluster takes a session for."""
    return str((await ml.request("GET", "/_plugins/_security/authinfo")).json()["user_name"])


async def unauthorized(session: Session) -> Unauthorized:
    """Return the error of a first call, which must be final and sent once."""
    with pytest.raises(Unauthorized) as caught:
        async with session as ml:
            await ml.info()
    assert (caught.value.status, caught.value.transient, caught.value.attempts) == (401, False, 1)
    return caught.value


@case("a user name and a password", "The call is that user's.")
async def password(scene: Scene) -> int:
    async with scene.cluster.admin() as ml:
        assert await who(ml) == "admin"
    return 1


@case("a wrong password, or none", "The call fails at once, is sent once, and its error does not hold the password.")
async def wrong_password(scene: Scene) -> int:
    wrong = secrets.token_urlsafe(16)
    error = await unauthorized(scene.cluster.session(auth=("admin", wrong)))
    assert wrong not in f"{error!r} {error} {vars(error)}"
    await unauthorized(scene.cluster.session())
    return 2


@case("a JWT", "The call is that of the token's subject.")
async def token(scene: Scene) -> int:
    async with scene.cluster.session(auth=BearerAuth(scene.cluster.token("ben"))) as ml:
        assert await who(ml) == "ben"
    return 1


@case(
    "a JWT that has expired, or is signed by another key",
    "The call fails at once, and its error does not hold the token.",
)
async def wrong_token(scene: Scene) -> int:
    make = scene.cluster.token
    for refused in (make("ben", exp=EXPIRED), make("ben", key=secrets.token_bytes(64))):
        error = await unauthorized(scene.cluster.session(auth=BearerAuth(refused)))
        assert refused not in f"{error!r} {error} {vars(error)}"
    return 2


@case(
    "a token that is refused although it should be valid",
    "A function is asked for another one, once, and the call sent again.",
)
async def renewed_token(scene: Scene) -> int:
    keys, end = (secrets.token_bytes(64), scene.cluster.signing_key), int(time.time()) + 3600
    tokens = [scene.cluster.token("ben", key=key, exp=end) for key in keys]
    async with scene.cluster.session(auth=BearerAuth(lambda: tokens.pop(0))) as ml:
        names: list[str] = []

        async def call() -> None:
            names.append(await who(ml))

        async with anyio.create_task_group() as group:
            for _ in range(USERS):
                group.start_soon(call)
    assert names == ["ben"] * USERS
    assert tokens == []
    return USERS


@case("a client certificate", "The call is that of the certificate's subject.")
async def client_certificate(scene: Scene) -> int:
    path = await to_thread.run_sync(scene.cluster.certificate, "cyd")
    async with scene.cluster.session(client_cert=path) as ml:
        assert await who(ml) == "cyd"
    return 1


@case(
    "a client certificate by an authority that the cluster does not know", "The call fails, and says what to look at."
)
async def foreign_certificate(scene: Scene) -> int:
    path = await to_thread.run_sync(scene.cluster.certificate, "cyd", scene.cluster.stranger)
    with pytest.raises(ConnectError) as caught:
        async with scene.cluster.session(client_cert=path, retries=0) as ml:
            await ml.info()
    assert "the cluster refuses the certificate in client_cert" in str(caught.value)
    assert not caught.value.transient
    return 1


@case(
    "20 users at once over one session, with wrong credentials between them",
    "Each call is answered as its own user's, and each wrong one refused.",
)
async def many_users(scene: Scene) -> int:
    right = 0
    async with scene.cluster.session() as ml:
        views = {
            name: ml.options(auth=BearerAuth(scene.cluster.token(name))) for name in map("user-{}".format, range(USERS))
        }
        wrong = ml.options(auth=("admin", "wrong"))

        async def call(name: str) -> None:
            nonlocal right
            mine = await who(views[name]) == name
            right += mine

        async def fail() -> None:
            nonlocal right
            try:
                await who(wrong)
            except Unauthorized:
                right += 1

        async with anyio.create_task_group() as group:
            for number in range(CALLS):
                group.start_soon(call, f"user-{number % USERS}")
                if number < WRONG:
                    group.start_soon(fail)
    assert right == CALLS + WRONG
    return right
