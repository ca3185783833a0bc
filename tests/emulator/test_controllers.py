"""Controllers, beyond the recordings: the rate limits take effect, for the users that they name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs
import pytest
import pytest_asyncio

from aiomlcommons import Conflict, Forbidden, NotFound, Session, TooManyRequests
from aiomlcommons.api.model_records import RateLimiter
from aiomlcommons.api.settings import FIRST_MODEL
from aiomlcommons.emulator import Cluster, Emulator
from tests.support.emulated_models import NOW, deployed

pytestmark = pytest.mark.asyncio


@attrs.define
class Clock:
    """A clock that is advanced by hand."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def alice(clock: Clock) -> AsyncGenerator[Session]:
    """Yield a session of the user alice."""
    emulated = Emulator(Cluster(clock=clock))
    async with (
        emulated.serve(username="alice", password="x") as url,
        Session(url, auth=("alice", "x"), retries=0, backoff=NOW) as ml,
    ):
        await ml.settings.apply(FIRST_MODEL)
        yield ml


def asking(ml: Session, model_id: str) -> Callable[[], Awaitable[object]]:
    return lambda: ml.predict("text_embedding", model_id, text_docs=["a"])


async def test_a_user_is_throttled_and_may_ask_again_later(alice: Session, clock: Clock) -> None:
    model_id = await deployed(alice)
    await alice.controllers.create(model_id, {"alice": RateLimiter(limit=2, unit="MINUTES")})
    ask = asking(alice, model_id)
    await ask()
    await ask()
    with pytest.raises(TooManyRequests, match="throttled at user level"):
        await ask()
    clock.now += 60
    await ask()


async def test_other_users_are_not_throttled(alice: Session) -> None:
    model_id = await deployed(alice)
    await alice.controllers.create(model_id, {"bob": RateLimiter(limit=0, unit="DAYS")})
    await asking(alice, model_id)()


async def test_nobody_has_a_name_where_the_emulator_has_no_user(ml: Session, dense: str) -> None:
    await ml.controllers.create(dense, {"alice": RateLimiter(limit=0, unit="DAYS")})
    await asking(ml, dense)()


async def test_a_change_begins_anew_and_leaves_other_users_alone(alice: Session) -> None:
    model_id = await deployed(alice)
    await alice.controllers.create(
        model_id, {"alice": RateLimiter(limit=0, unit="DAYS"), "bob": RateLimiter(limit=5, unit="HOURS")}
    )
    ask = asking(alice, model_id)
    with pytest.raises(TooManyRequests):
        await ask()
    changed = await alice.controllers.update(model_id, {"alice": RateLimiter(limit=1, unit="DAYS")})
    assert (changed.index, changed.result) == (".plugins-ml-controller", "updated")
    await ask()
    found = (await alice.controllers.get(model_id)).user_rate_limiter
    assert found == {"alice": RateLimiter(limit="1", unit="DAYS"), "bob": RateLimiter(limit="5", unit="HOURS")}
    await alice.controllers.delete(model_id)
    await ask()
    await ask()


async def test_a_model_tells_that_it_has_a_controller(ml: Session, dense: str) -> None:
    assert (await ml.controllers.create(dense, {})).status == "CREATED"
    assert (await ml.controllers.create(dense, {})).status == "UPDATED"
    assert (await ml.models.get(dense)).is_controller_enabled is True
    await ml.controllers.delete(dense)
    assert (await ml.models.get(dense)).is_controller_enabled is False


async def test_not_every_model_can_have_a_controller(ml: Session, dense: str) -> None:
    with pytest.raises(NotFound, match="Failed to find model to create"):
        await ml.controllers.create("nope", {})
    with pytest.raises(Conflict, match="Consider calling create model controller api"):
        await ml.controllers.update(dense, {})
    with pytest.raises(NotFound, match="Failed to find model controller"):
        await ml.controllers.delete(dense)
    made = await ml.models.register_meta(
        "m",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="0" * 64,
        total_chunks=1,
        function_name="SPARSE_ENCODING",
    )
    with pytest.raises(Forbidden, match="SPARSE_ENCODING is not supported"):
        await ml.controllers.create(made.model_id, {})
