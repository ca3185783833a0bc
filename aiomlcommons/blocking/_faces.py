"""Synchronous faces: each forwards what is asked of it to an async object, on the event loop of a portal."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

from aiomlcommons.client import Client
from aiomlcommons.namespace import Namespace
from aiomlcommons.portal import Portal
from aiomlcommons.usage import offers

_ASYNC = ("__await__", "__aiter__", "__aenter__")
_END = object()


def _inner(value: Any) -> Any:
    """Return the async object of a face, which is what a call on the event loop can use; anything else as it is."""
    return value._inner if isinstance(value, Face) else value


class Face:
    """The synchronous face of an async object.

    Its methods return what awaiting the async ones gives. What these let you await or iterate as you like, such as a
    search, a task or a job, has ``result()`` and is iterable; what is opened by ``async with`` is by ``with``.
    """

    _context: AbstractContextManager[Any] | None = None

    def __init__(self, inner: Any, root: Face | None) -> None:
        # The root is kept, because the session closes when nothing refers to it any more.
        self._inner, self._root = inner, root

    def _running(self) -> Portal[Any]:
        """Return the portal of the session. Raises SessionClosed if it is not open."""
        return cast(Face, self._root)._running()  # a session, which has no root, has its own

    def _face(self, value: Any) -> Any:
        """Return a face of what is to be called, awaited, iterated or entered, and anything else as it is."""
        if inspect.isroutine(value):

            @functools.wraps(value)
            def call(*arguments: Any, **options: Any) -> Any:
                inner = {name: _inner(option) for name, option in options.items()}
                return self._face(self._running().call(value, *map(_inner, arguments), **inner))

            return call
        if isinstance(value, Client | Namespace) or any(offers(type(value), name) for name in _ASYNC):
            return Face(value, self._root or self)
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._face(getattr(self._inner, name))

    def result(self) -> Any:
        """Wait for the end, and return the result."""
        self._needs("__await__", "waited for")

        async def awaited() -> Any:
            return await self._inner

        return self._face(self._running().call(awaited))

    def __iter__(self) -> Iterator[Any]:
        self._needs("__aiter__", "iterated over")
        portal = self._running()
        iterator = portal.call(self._inner.__aiter__)

        async def following() -> Any:
            return await anext(iterator, _END)

        async def close() -> None:  # what `aclose` returns is no coroutine, and the portal would not await it
            await iterator.aclose()

        try:
            while (item := portal.call(following)) is not _END:
                yield self._face(item)
        finally:
            if hasattr(iterator, "aclose"):
                portal.call(close)

    def __enter__(self) -> Any:
        self._needs("__aenter__", "used in `with`")
        self._context = self._running().entered(self._inner)
        return self._face(self._context.__enter__())

    def __exit__(self, *error: Any) -> bool | None:
        return cast(AbstractContextManager[Any], self._context).__exit__(*error)

    def _needs(self, method: str, words: str) -> None:
        if not offers(type(self._inner), method):
            raise TypeError(f"{self!r} cannot be {words}")

    def __dir__(self) -> list[str]:
        return sorted({*(name for name in dir(self._inner) if not name.startswith("_")), *super().__dir__()})

    def _repr_html_(self) -> str | None:
        """Return the table of the async object, for notebooks; None if it has none."""
        return self._inner._repr_html_() if hasattr(self._inner, "_repr_html_") else None

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"
