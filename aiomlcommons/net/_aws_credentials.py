"""Credentials of AWS: found, renewed and looked for again by botocore's chain, in a thread, by one caller at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread

from aiomlcommons.errors import NoCredentials
from aiomlcommons.masking import without_credentials

# In seconds. botocore renews credentials in their last 15 minutes, wherever it is asked for them: a thread does so from
# the 16th on. While credentials are valid for a minute, no request waits for others to be renewed.
SOON = 16 * 60
LATEST = 60
# In seconds between two attempts to renew credentials that are still valid.
PAUSE = 10.0

NONE_FOUND = (
    "no AWS credentials: botocore looked at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN), the "
    "profile of AWS_PROFILE in ~/.aws/config and ~/.aws/credentials (with SSO, role_arn and credential_process), web "
    "identity tokens, and the metadata of the container or the instance; run `aws sso login` or `aws configure`, give "
    "the machine a role, or give AwsAuth(session=...)"
)
NO_REGION = (
    "no AWS region: give the region of the domain or collection, as in AwsAuth('eu-west-1'), or set AWS_DEFAULT_REGION "
    "or `region` in ~/.aws/config"
)


class Frozen(Protocol):
    """Credentials that do not change: botocore's ReadOnlyCredentials."""

    access_key: str
    secret_key: str
    token: str | None


class Chain:
    """The credentials and the region of a session of botocore or boto3; None stands for a new session."""

    def __init__(self, session: Any) -> None:
        # A session of boto3 holds one of botocore.
        self._given = getattr(session, "_session", session)
        self._session: Any = self._given
        self._credentials: Any = None
        self._last: Any = None
        self._pause_until = 0.0
        self._looks = 0
        self._problem: NoCredentials | None = None
        self._threads = threading.Lock()
        # Sessions on several event loops may share the credentials, and a lock belongs to one loop.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, anyio.Lock] = WeakKeyDictionary()
        self.region: str | None = None

    async def frozen(self) -> Frozen:
        """Return credentials that are valid now. Raises NoCredentials if there are none, or none can be got."""
        credentials = self._credentials
        if credentials is not None and not _ends_within(credentials, SOON):
            self._last = credentials.get_frozen_credentials()
        elif self._last is None or not self._is_on_the_way():
            await self._alone(self._look)
        return cast(Frozen, self._last)

    @property
    def has_fixed_token(self) -> bool:
        """Whether the credentials are temporary, and botocore does not renew them."""
        return bool(self._last and self._last.token) and not hasattr(self._credentials, "refresh_needed")

    async def renewed(self, access_key: str, token: str | None) -> bool:
        """Look for the credentials again; return whether there are other ones than those, which were rejected."""
        if not self._differ(access_key, token):
            with suppress(NoCredentials):  # what AWS said of the old ones tells more
                await self._alone(self._look_again)
        return self._differ(access_key, token)

    def _differ(self, access_key: str, token: str | None) -> bool:
        return (self._last.access_key, self._last.token or None) != (access_key, token)

    def _is_on_the_way(self) -> bool:
        """Return whether the last credentials will do until others come, which were asked for just now."""
        asked = self._lock().locked() or time.monotonic() < self._pause_until
        return asked and self._is_valid()

    def _is_valid(self) -> bool:
        return self._last is not None and not _ends_within(self._credentials, LATEST)

    def _lock(self) -> anyio.Lock:
        return self._locks.setdefault(asyncio.get_running_loop(), anyio.Lock())

    async def _alone(self, look: Callable[[], None]) -> None:
        """Look in a thread, because botocore reads files and asks servers; who has waited takes what another found."""
        looks = self._looks
        async with self._lock():
            if self._looks == looks:
                await anyio.to_thread.run_sync(self._noted, look, abandon_on_cancel=True)
        if self._problem is not None:
            raise NoCredentials(str(self._problem), transient=self._problem.transient)

    def _noted(self, look: Callable[[], None]) -> None:
        with self._threads:
            try:
                look()
                self._problem = None
            except Exception as error:  # botocore has dozens, and its HTTP client others
                # botocore warns of it; while credentials are valid, no request has to fail for it.
                self._problem = None if self._is_valid() else _problem(error)
            self._pause_until = time.monotonic() + PAUSE
            self._looks += 1

    def _look(self) -> None:
        if self._credentials is None:
            self._session = self._session or _new_session()
            self.region = self._session.get_config_variable("region")
            self._credentials = self._session.get_credentials()
        if self._credentials is None:
            raise NoCredentials(NONE_FOUND)
        self._last = self._credentials.get_frozen_credentials()

    def _look_again(self) -> None:
        found = self._found_again()
        if found is not None:
            self._last = found.get_frozen_credentials()
            self._credentials = found

    def _found_again(self) -> Any:
        if self._given is None:
            # A new session, because one keeps what it has read of ~/.aws/config.
            self._session = _new_session()
            return self._session.get_credentials()
        from botocore.exceptions import UnknownCredentialError

        # Only where these were found, lest another identity answers in place of one that the program chose.
        try:
            method = self._credentials.method
            return self._session.get_component("credential_provider").get_provider(method).load()
        except UnknownCredentialError:
            return None


def _problem(error: Exception) -> NoCredentials:
    if isinstance(error, NoCredentials):
        return error
    remedy = "renew them (as `aws sso login` does) or give AwsAuth(session=...)"
    words = without_credentials(str(error))  # such as that of a proxy
    return NoCredentials(f"no AWS credentials: {type(error).__name__}: {words}; {remedy}", transient=True)


def _new_session() -> Any:
    from botocore.session import Session

    return Session()


def _ends_within(credentials: Any, seconds: float) -> bool:
    """Return whether credentials end soon; those without an end have no ``refresh_needed``."""
    needed = getattr(credentials, "refresh_needed", None)
    return needed is not None and bool(needed(seconds))
