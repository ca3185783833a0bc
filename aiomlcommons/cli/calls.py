"""Building a request for any endpoint from command-line arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from aiomlcommons.endpoint import Request, fields_of, wire_name
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.namespace import Namespace, Operation, space
from aiomlcommons.session import Session
from aiomlcommons.wire import convert


def endpoints() -> Iterator[tuple[str, type[Request[Any]]]]:
    """Yield every endpoint with its name on a session: ``models.deploy``, ``predict``."""
    yield from _ops("", Session)


def is_endpoint(name: str = "") -> bool:
    """Return whether this is the full name of an endpoint, as ``info`` is, and ``models`` is not."""
    return name in dict(endpoints())


def _ops(prefix: str, owner: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers_static(owner):
        if isinstance(member, Operation):
            yield prefix + name, member.request
        elif isinstance(member, space) and issubclass(member.namespace, Namespace):
            yield from _ops(f"{prefix}{name}.", member.namespace)


def listing(prefix: str = "") -> str:
    """List the endpoints whose name begins with ``prefix``, one a line with its summary."""
    rows = [(name, (cls.__doc__ or "").partition("\n")[0]) for name, cls in endpoints() if name.startswith(prefix)]
    if not rows:
        raise InvalidRequest(f"there is no endpoint {prefix!r}; `call` alone lists all of them")
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.replace('.', ' '):<{width}}  {words}" for name, words in rows)


def request_of(words: Sequence[str]) -> Request[Any]:
    """Build a request from arguments: ``["models", "get", "ID"]``, ``["models.search", "body={...}"]``.

    ``FIELD=VALUE`` sets a field by name, other arguments fill the positional fields in order. A value is parsed as
    JSON, unless its field is text. Raises InvalidRequest that lists the known fields.
    """
    cls, values = _endpoint(words)
    hints = get_type_hints(cls)
    fields = {wire_name(field): field for field in fields_of(cls)}
    leading = [name for name, field in fields.items() if not field.kw_only]
    data: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or name not in fields:
            if not leading:
                # Without its value, which may be a credential whose name was mistyped.
                what = repr(name) if equals else repr(value)
                raise InvalidRequest(f"{cls.__name__} has no field for {what}; its fields are {', '.join(fields)}")
            name, text = leading[0], value
        leading = [other for other in leading if other != name]
        data[name] = _value(text, hints[fields[name].name])
    try:
        return convert.structure(data, cls)
    except convert.Unreadable as error:
        raise InvalidRequest(f"{cls.__name__}: {error}; its fields are {', '.join(fields)}") from None


def _endpoint(words: Sequence[str]) -> tuple[type[Request[Any]], Sequence[str]]:
    known = dict(endpoints())
    for count in (2, 1):
        if (name := ".".join(words[:count])) in known:
            return known[name], words[count:]
    raise InvalidRequest(f"there is no endpoint {' '.join(words[:2])!r}; `call` alone lists all of them")


def _value(text: str, declared: Any) -> Any:
    members = get_args(declared) if get_origin(declared) in (Union, UnionType) else (declared,)
    if str in members and not {int, float, bool} & set(members):
        return text
    if declared is bytes:
        return text.encode()
    try:
        return orjson.loads(text)
    except ValueError:
        return text
