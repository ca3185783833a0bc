"""Namespaces made from endpoints: ``ml.models.deploy`` has DeployModel's own signature, answer and docs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

import attrs

from aiomlcommons.endpoint import Request, Sends

P = ParamSpec("P")
R = TypeVar("R")
N = TypeVar("N", bound="Namespace")


class HasSession(Protocol):
    """Anything that endpoints can be called on: a namespace, or the session itself."""

    @property
    def _session(self) -> Sends: ...


@attrs.frozen
class Namespace:
    """A group of endpoints on a session: ``ml.models``, ``ml.tasks``."""

    _session: Sends

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_")]


class Operation(Generic[P]):
    """What ``op``, ``searches`` and ``streams`` have in common: a request class that is called like a method."""

    def __init__(self, request: Callable[P, Request[Any]]) -> None:
        self.request = request
        self.__doc__ = request.__doc__

    def dress(self, call: Any) -> Any:
        """Give a function the name, signature and docs of the request."""
        call.__name__ = call.__qualname__ = getattr(self.request, "__name__", "call")
        call.__doc__ = self.request.__doc__
        call.__signature__ = inspect.signature(self.request)
        return call


class op(Operation[P], Generic[P, R]):  # noqa: N801 - it reads as a word of the class body: deploy = op(DeployModel)
    """A method with its request's own parameters, answer and docs."""

    request: Callable[P, Request[R]]

    def __init__(self, request: Callable[P, Request[R]]) -> None:
        super().__init__(request)

    @overload
    def __get__(self, space: None, owner: type) -> op[P, R]: ...
    @overload
    def __get__(self, space: HasSession, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, space: HasSession | None, owner: type) -> Any:
        if space is None:
            return self
        session = space._session

        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return await session.send(self.request(*args, **kwargs))

        return self.dress(call)


class space(Generic[N]):  # noqa: N801 - models = space(Models)
    """A namespace as an attribute of the session: made anew for whichever session it is read from."""

    def __init__(self, namespace: type[N]) -> None:
        self.namespace = namespace
        self.__doc__ = namespace.__doc__

    @overload
    def __get__(self, session: None, owner: type) -> space[N]: ...
    @overload
    def __get__(self, session: HasSession, owner: type) -> N: ...
    def __get__(self, session: HasSession | None, owner: type) -> Any:
        return self if session is None else self.namespace(session._session)
