"""What the built reference has: every public name must be among it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from aiomlcommons import ENDPOINTS
from aiomlcommons.session import Session
from building import public


def documented(site: Path) -> set[str]:
    """Return the names of Python objects that the built site documents, from its inventory."""
    _, _, _, _, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines if " py:" in line}


def expected() -> Iterator[set[str]]:
    """Yield each public name, in the spellings under any of which it may be documented."""
    for name in ("", *public.PACKAGES, *public.integration_modules()):
        for one in public.names_of(name):
            yield spellings(name, one)
    for name in public.methods_of(Session) | public.calls_of(Session):
        yield {f"aiomlcommons.Session.{name}"}
    for space, cls in public.spaces().items():
        for name in public.methods_of(cls) | public.calls_of(cls):
            yield {f"aiomlcommons.Session.{space}.{name}"}
    for request in ENDPOINTS:
        yield spellings(request.__module__.removeprefix("aiomlcommons."), request.__name__)


def spellings(module: str, name: str) -> set[str]:
    """Return the full names of one object: where it is exported, where it is made, and where others export it."""
    value = getattr(public.module(module), name)
    homes = {module} | {one for one in ("", *public.PACKAGES) if vars(public.module(one)).get(name) is value}
    made = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', name)}"
    return {made} | {".".join(filter(None, ("aiomlcommons", home, name))) for home in homes}


def missing(site: Path) -> tuple[int, list[str]]:
    """Return how many public names there are, and those that the site does not document."""
    found, every = documented(site), list(expected())
    return len(every), [min(names, key=len) for names in every if names.isdisjoint(found)]
