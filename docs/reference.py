"""Write ``reference.md``, the table of every endpoint, from the endpoints themselves: ``make docs``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from aiomlcommons import ENDPOINTS
from aiomlcommons.cli.calls import endpoints
from aiomlcommons.endpoint import Endpoint, Request
from aiomlcommons.session import Session

PAGE = Path(__file__).with_name("reference.md")
# Every route of ML Commons, read from its source; one of them is there no more.
ROUTES = Path(__file__).parent.parent / "tests" / "data" / "routes.tsv"
Row = tuple[str, type[Request[Any]]]

HEAD = """# Every endpoint

`make docs` writes this page from `aiomlcommons.ENDPOINTS`: {count} endpoints with {routes} routes, because some
have several. {now} of them are all the routes that the newest source of ML Commons registers, as listed in
`tests/data/routes.tsv`; {before} are names that only older releases have; {others} belong to OpenSearch itself:
indices, documents, searches, pipelines and settings.

*Since* is the first release of OpenSearch that has the endpoint under its present route. *Also* are routes of equal
standing, *before* are names that older servers know it by; a session picks the one that its server knows. A
*repeatable* call does no harm when it is sent twice, so a session may send it again when its answer is lost.
"""
TABLE = """
## {title}

{words}

| call | route | since | repeatable | documentation |
|---|---|---|---|---|
"""


def reference() -> str:
    """Return the text of the page."""
    rows = sorted(endpoints(), key=lambda row: (_space(row), row[0]))
    head = HEAD.format(count=len(ENDPOINTS), **counts())
    return head + "".join(_section(space, group) for space, group in groupby(rows, _space))


def counts() -> dict[str, int]:
    """Return how many routes there are, and of which kinds."""
    paths = [route.path for cls in ENDPOINTS for route in cls.endpoint.routes]
    of_ml = sum("/_ml/" in path for path in paths)
    with ROUTES.open(encoding="utf-8", newline="") as file:
        now = sum(
            row["status"] != "NOT REGISTERED" for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        )
    return {"routes": len(paths), "now": now, "before": of_ml - now, "others": len(paths) - of_ml}


def _space(row: Row) -> str:
    return row[0].rpartition(".")[0]


def _section(space: str, rows: Iterable[Row]) -> str:
    owner = getattr(Session, space).namespace if space else Session
    words = _summary(owner).partition(": ")[2] if space else "Calls on the session itself."
    title = f"`ml.{space}`" if space else "`ml`"
    return TABLE.format(title=title, words=words[:1].upper() + words[1:]) + "".join(map(_line, rows))


def _line(row: Row) -> str:
    name, cls = row
    spec = cls.endpoint
    since = f"{spec.since}, until {spec.until}" if spec.until else spec.since
    link = f"[{_summary(cls).rstrip('., ')}]({_url(cls)})"
    return f"| `ml.{name}` | {'<br>'.join(_routes(spec))} | {since} | {'yes' if spec.repeatable else 'no'} | {link} |\n"


def _routes(spec: Endpoint) -> Iterator[str]:
    yield f"`{spec.route}`"
    yield from (f"also `{route}`" for route in spec.also)
    yield from (f"before `{route}`" for route in spec.was)


def _summary(cls: type[Any]) -> str:
    # The first sentence may run over several lines.
    text = " ".join((cls.__doc__ or "").replace("``", "`").partition("\n\n")[0].split())
    return text.partition(". ")[0]


def _url(cls: type[Any]) -> str:
    return (cls.__doc__ or "").split()[-1]


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
