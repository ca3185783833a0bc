"""``aiomlcommons call | endpoints``: call any endpoint with arguments of the command line, and list them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.tables import print_json
from aiomlcommons.endpoint import Request, fields_of, wire_name
from aiomlcommons.namespace import operations
from aiomlcommons.session import Session
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.wire import convert


def endpoints() -> Iterator[tuple[str, type[Request[Any]]]]:
    """Yield every endpoint with its name on a session: ``models.deploy``, ``predict``."""
    yield from operations(Session)


async def call(options: argparse.Namespace) -> None:
    """Call any endpoint and print its response: JSON indented, anything else as it is."""
    request = request_of(options.words)
    async with cluster(options) as ml:
        response = await ml.raw(request)
    try:
        body = response.json()
    except ValueError:
        print(response.text, end="")  # a stream of events, or an empty body
    else:
        print_json(body)


async def listed(options: argparse.Namespace) -> None:
    """List the endpoints, or those whose name begins with a prefix."""
    prefix = ".".join(options.prefix)
    found = [(name, cls) for name, cls in endpoints() if name.startswith(prefix)]
    if not found:
        near = did_you_mean(prefix, _names(), "`aiomlcommons endpoints` lists all of them")
        raise UsageError(f"there is no endpoint {prefix!r}; {near}")
    if options.json:
        print_json([_described(name, cls) for name, cls in found])
        return
    rows = [(name.replace(".", " "), (cls.__doc__ or "").partition("\n")[0]) for name, cls in found]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {words}" for name, words in rows))


def _described(name: str, cls: type[Request[Any]]) -> dict[str, Any]:
    words, fields = (cls.__doc__ or "").partition("\n")[0], list(map(wire_name, fields_of(cls)))
    return {"name": name, "summary": words, "since": str(cls.endpoint.since), "fields": fields}


def _names() -> set[str]:
    """Return what can be meant by a word: endpoints, and their namespaces."""
    names = [name for name, _ in endpoints()]
    return {*names, *(name.partition(".")[0] for name in names)}


def request_of(words: Sequence[str]) -> Request[Any]:
    """Build a request from arguments: ``["models", "get", "ID"]``, ``["models.search", "body={...}"]``.

    ``FIELD=VALUE`` sets a field by name, other arguments fill the positional fields in order. A value is parsed as
    JSON, unless its field is text. Raises UsageError that lists the known fields.
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
                raise UsageError(f"{cls.__name__} has no field for {what}; its fields are {', '.join(fields)}")
            name, text = leading[0], value
        leading = [other for other in leading if other != name]
        data[name] = _value(text, hints[fields[name].name])
    try:
        return convert.structure(data, cls)
    except convert.Unreadable as error:
        raise UsageError(f"{cls.__name__}: {error}; its fields are {', '.join(fields)}") from None


def _endpoint(words: Sequence[str]) -> tuple[type[Request[Any]], Sequence[str]]:
    known = dict(endpoints())
    for count in (2, 1):
        if (name := ".".join(words[:count])) in known:
            return known[name], words[count:]
    name = ".".join(words[:2])
    if any(one.startswith(f"{words[0]}.") for one in known) and len(words) == 1:
        raise UsageError(f"{name!r} is a namespace, not an endpoint; `aiomlcommons endpoints {name}` lists its methods")
    near = did_you_mean(name, known, "`aiomlcommons endpoints` lists all of them")
    raise UsageError(f"there is no endpoint {' '.join(words[:2])!r}; {near}")


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
