"""Descriptors that turn endpoints into methods: ``ml.models.deploy`` has the signature and docs of DeployModel."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from functools import cached_property
from importlib import import_module
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, overload

import attrs

from aiomlcommons.endpoint import Request, Sends
from aiomlcommons.spelling import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")
N = TypeVar("N", bound="Namespace")


class HasSession(Protocol):
    """Anything that endpoint methods can be called on: a namespace, or the session itself."""

    @property
    def _session(self) -> Sends: ...


@attrs.frozen
class Namespace:
    """A group of endpoints on a session: ``ml.models``, ``ml.tasks``."""

    _session: Sends

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_")]


class Operation(Generic[P]):
    """Base of the descriptors ``op``, ``searches`` and ``streams``, which turn a request class into a method.

    ``op.at("api.stats:GetStats")`` imports the class when it is first used.
    """

    request: Callable[P, Request[Any]]
    _home: str

    def __init__(self, request: Callable[P, Request[Any]]) -> None:
        self.request = request
        self.__doc__ = request.__doc__

    @classmethod
    def at(cls, home: str) -> Any:
        """Return the descriptor of a request class that is not imported yet."""
        made = cls.__new__(cls)
        made._home = home
        return made

    if not TYPE_CHECKING:  # a class with __getattr__ has every name

        def __getattr__(self, name: str) -> Any:
            if name != "request" or "_home" not in vars(self):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__init__(found_at(self._home))
            return self.request

    def make(self, *args: Any, **kwargs: Any) -> Any:
        """Make the request. Raises TypeError, which suggests the name of a field that is near to an unknown one."""
        try:
            return self.request(*args, **kwargs)
        except TypeError as error:
            known = self._signature.parameters
            unknown = next((name for name in kwargs if name not in known), None)
            if unknown is None:
                raise
            hint = did_you_mean(unknown, known, f"its fields are {', '.join(known)}")
            # Python 3.14 has a suggestion of its own, of one name, after its sentence.
            raise TypeError(f"{str(error).partition('. Did you mean')[0]}; {hint}") from None

    def dress(self, call: Any) -> Any:
        """Copy the name, signature and docs of the request to a function."""
        call.__name__ = call.__qualname__ = getattr(self.request, "__name__", "call")
        call.__doc__ = self.request.__doc__
        call.__signature__ = self._signature
        return call

    @cached_property
    def _signature(self) -> inspect.Signature:
        # Computed once: it would take longer than all else that this package does for a call.
        return inspect.signature(self.request)


class op(Operation[P], Generic[P, R]):  # noqa: N801 - it reads as a word of the class body: deploy = op(DeployModel)
    """A descriptor that makes a request class a method: same parameters and docs, returns the typed response."""

    request: Callable[P, Request[R]]

    def __init__(self, request: Callable[P, Request[R]]) -> None:
        super().__init__(request)

    @overload
    def __get__(self, space: None, owner: type) -> op[P, R]: ...
    @overload
    def __get__(self, space: HasSession, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, space: HasSession | None, owner: type) -> Any:
        method = self._method  # also for the docs of the class's own: help(Session.predict)
        return self if space is None else MethodType(method, space)

    @cached_property
    def _method(self) -> Any:
        async def send(space: HasSession, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await space._session.send(self.make(*args, **kwargs))

        # A method, as Python's own are, is made once; its first parameter is what it is bound to.
        call: Any = self.dress(send)
        space = inspect.Parameter("space", inspect.Parameter.POSITIONAL_ONLY)
        call.__signature__ = self._signature.replace(parameters=[space, *self._signature.parameters.values()])
        return call


class space(Generic[N]):  # noqa: N801 - models = space(Models)
    """A descriptor that makes a namespace an attribute of the session, bound to the session that it is read from.

    ``home`` is where its class is, which is imported when it is first used: ``"api.models:Models"``.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    @cached_property
    def namespace(self) -> type[N]:
        """The class of the namespace."""
        found: type[N] = found_at(self._home)
        self.__doc__ = found.__doc__
        return found

    @overload
    def __get__(self, session: None, owner: type) -> space[N]: ...
    @overload
    def __get__(self, session: HasSession, owner: type) -> N: ...
    def __get__(self, session: HasSession | None, owner: type) -> Any:
        namespace = self.namespace  # the class, for its docs: help(Session.models)
        return self if session is None else namespace(session._session)


def found_at(home: str) -> Any:
    """Return what has a name in a module of the package: ``found_at("api.tasks:Tasks")``.

    Programs use few of the API's hundreds of classes, and making one takes about half a millisecond.
    """
    module, _, name = home.partition(":")
    return getattr(import_module(f"aiomlcommons.{module}"), name)


def operations(owner: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the request class of each endpoint of a session, with its name there: ``models.deploy``, ``predict``."""
    for name, member in inspect.getmembers_static(owner):
        if isinstance(member, Operation):
            yield prefix + name, member.request
        elif isinstance(member, space) and issubclass(member.namespace, Namespace):
            yield from operations(member.namespace, f"{prefix}{name}.")
