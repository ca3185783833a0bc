"""The synchronous session, open on an event loop in a thread of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from aiomlcommons.blocking._faces import Face
from aiomlcommons.errors import SessionClosed
from aiomlcommons.portal import Portal
from aiomlcommons.session import Session as AsyncSession


class Session(Face):
    """A synchronous session: ``with Session("https://host:9200", auth=("admin", "...")) as ml:``.

    Takes the arguments of ``aiomlcommons.Session``, and has its methods, without ``await``. ``Session.connect(...)``
    opens one that ``close`` closes. Several threads may share it: their calls run concurrently. Functions that are
    given to it, such as a progress callback, run on its event loop, and must not call it.
    """

    _portal: Portal[AsyncSession] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(AsyncSession(*arguments, **options), None)

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Open a session and verify that an OpenSearch cluster responds, as ``aiomlcommons.Session.connect`` does."""
        return cls(*arguments, **options).open()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Create a session from environment variables, as ``aiomlcommons.Session.from_env`` does."""
        return cls._of(AsyncSession.from_env(environ, **options))

    def open(self) -> Self:
        """Open the session and verify that an OpenSearch cluster responds, as ``aiomlcommons.Session.open`` does."""
        return self._opened(_verified(self._inner))

    @classmethod
    def _of(cls, session: AsyncSession) -> Self:
        made = cls.__new__(cls)
        Face.__init__(made, session, None)
        return made

    def _opened(self, context: AbstractAsyncContextManager[AsyncSession]) -> Self:
        self._portal = Portal(context, self)
        self._inner = self._portal.value
        return self

    @property
    def async_session(self) -> AsyncSession:
        """The async session beneath, for what takes one: ``IndexSink(ml.async_session, "docs")``."""
        session: AsyncSession = self._inner
        return session

    def _running(self) -> Portal[AsyncSession]:
        if self._portal is None:
            raise SessionClosed("the session is not open: use `with Session(...) as ml:` or `Session.connect(...)`")
        return self._portal

    def __enter__(self) -> Self:
        return self if self._portal is not None else self._opened(self._inner)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection pool and end the thread. Closing it twice is allowed."""
        if self._portal is not None:
            self._portal.close()


@asynccontextmanager
async def _verified(session: AsyncSession) -> AsyncGenerator[AsyncSession]:
    await session.open()
    try:
        yield session
    finally:
        await session.close()
