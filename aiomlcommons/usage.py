"""Objects that say what to write where they are used as something that they are not; async contexts are such ones."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")

_METHODS = {
    "async with": ("__aenter__", "__aexit__"),
    "with": ("__enter__", "__exit__"),
    "await": ("__await__",),
    "async for": ("__aiter__",),
    "for": ("__iter__",),
}


def refuses(*forms: str, write: str | None = None) -> Callable[[type[C]], type[C]]:
    """Let a class refuse forms of use, such as ``with`` or ``async for``, by a TypeError that says what to ``write``.

    Without ``write`` the instance's own ``_write`` is said. Type checkers do not see it: to them the class does not
    have these forms at all.
    """

    def decorate(kind: type[C]) -> type[C]:
        for form in forms:
            for name in _METHODS[form]:
                setattr(kind, name, _refusal(form, write))
        return kind

    return decorate


def _refusal(form: str, write: str | None) -> Callable[..., NoReturn]:
    def refuse(self: Any, *_: object) -> NoReturn:
        raise TypeError(f"`{form}` is not for {_shown(self)}: write {write or self._write}")

    vars(refuse)["refuses"] = form
    return refuse


def offers(kind: type, method: str) -> bool:
    """Return whether a class has a special method, such as ``__aiter__``, and does not refuse it."""
    found = getattr(kind, method, None)
    return found is not None and not hasattr(found, "refuses")


def _shown(what: Any) -> str:
    if isinstance(what, Context):
        return repr(what)
    name = type(what).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


@refuses("with", "await", "async for", "for")
class Context(AbstractAsyncContextManager[T]):
    """An async context that is entered once, by ``async with``; used as anything else it says what to write.

    Nothing happens before it is entered, so that one which never is leaves nothing behind.

    Args:
        call: The call that made it, such as ``ml.embed(...)``.
        write: What to write, in a few words.
        enter: Makes the context itself, when it is entered.
    """

    def __init__(self, call: str, write: str, enter: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._call, self._write, self._enter = call, write, enter
        self._entered: AbstractAsyncContextManager[T] | None = None

    async def __aenter__(self) -> T:
        if self._entered is not None:
            raise RuntimeError(f"{self._call} was entered before: call it again")
        self._entered = self._enter()
        return await self._entered.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._entered is not None  # noqa: S101 - nobody leaves what was not entered
        return await self._entered.__aexit__(kind, error, trace)

    def __repr__(self) -> str:
        return self._call


class AwaitedContext(Context[T]):
    """A context of what is awaited within it, so that a subclass with ``__await__`` may be awaited in its place."""

    async def _result(self) -> Any:
        """Enter it, wait for the end, and return the result."""
        async with self as running:
            return await cast(Any, running)


def context(call: str, write: str) -> Callable[[Callable[P, AsyncGenerator[T]]], Callable[P, Context[T]]]:
    """Make an async generator function return a Context, as ``asynccontextmanager`` makes it return one without words.

    ``call`` and ``write`` are those of the Context.
    """

    def decorate(generate: Callable[P, AsyncGenerator[T]]) -> Callable[P, Context[T]]:
        make = asynccontextmanager(generate)

        @functools.wraps(generate)
        def called(*arguments: P.args, **options: P.kwargs) -> Context[T]:
            return Context(call, write, functools.partial(make, *arguments, **options))

        return called

    return decorate
