"""Points in time: snapshots of indices that searches can go through page by page."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.indices import blocks, names
from aiomlcommons.emulator.indices.errors import invalid_request
from aiomlcommons.emulator.indices.shards import preferred
from aiomlcommons.emulator.indices.state import Documents, UserIndex
from aiomlcommons.emulator.querying.errors import cause, shards_failed
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

MARK = b"aiomlcommons point "
UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST = 86_400.0
BAD_TIME = "failed to parse setting [keep_alive] with value [{text}] as a time value: unit is missing or unrecognized"
TOO_LONG = (
    "Keep alive for request ({text}) is too large. It must be less than (1d). This limit can be set by changing the "
    "[point_in_time.max_keep_alive] cluster level setting."
)
_numbers = itertools.count(1)


@attrs.frozen
class Seen:
    """The documents of an index as searches saw them at a time, of so many of its shards."""

    index: UserIndex
    documents: Documents
    shards: int


Snapshot = Sequence[Seen]


def seen(indices: Sequence[UserIndex], preference: str) -> Snapshot:
    """Return what searches see now, of the shards that are preferred. Raises Refused where reading is blocked."""
    blocks.check(indices, "read")
    chosen = preferred(preference)
    found = [(index, _count(index, chosen)) for index in indices]
    return [Seen(index, index.of_shards(index.seen(), chosen), count) for index, count in found if count]


def _count(index: UserIndex, chosen: set[int] | None) -> int:
    return index.shard_count if chosen is None else len(chosen.intersection(range(index.shard_count)))


def shards_of(snapshot: Snapshot) -> dict[str, int]:
    """Return how many shards were searched."""
    total = sum(one.shards for one in snapshot)
    return {"total": total, "successful": total, "skipped": 0, "failed": 0}


@attrs.define
class Point:
    """A snapshot of indices, which is lost at ``until`` (Unix time)."""

    snapshot: Snapshot
    created: int
    keep_alive: float
    until: float


@route(
    "POST /{index}/_search/point_in_time",
    parameters="keep_alive allow_partial_pit_creation preference routing expand_wildcards ignore_unavailable",
    needs="search",
)
async def create(cluster: Cluster, call: Call) -> Plain:
    """Create a point in time of indices as searches see them now."""
    given = call.http.query.get("keep_alive")
    if given is None:
        raise invalid_request("keep alive not specified")
    seconds = _seconds(given)
    found = names.found(cluster, call.names["index"])
    snapshot = seen(found, call.http.query.get("preference", ""))
    if found and not snapshot:
        raise _no_shards()
    key = base64.urlsafe_b64encode(MARK + str(next(_numbers)).encode()).decode()
    now = cluster.clock()
    cluster.points[key] = Point(
        [Seen(one.index, dict(one.documents), one.shards) for one in snapshot], cluster.now(), seconds, now + seconds
    )
    return Plain({"pit_id": key, "_shards": shards_of(snapshot), "creation_time": cluster.now()})


def _no_shards() -> Refused:
    """Return the error of a point in time without shards, which the server makes no id of."""
    error = illegal("invalid id: [null]")
    words = 'Cannot invoke "String.getBytes(java.nio.charset.Charset)" because "src" is null'
    error.body["error"]["caused_by"] = cause("null_pointer_exception", words)
    return error


def opened(cluster: Cluster, given: Mapping[str, Any]) -> Point:
    """Return the point in time of a search, which prolongs it. Raises Refused (404) if it is lost."""
    number = _number(given["id"])
    point: Point | None = cluster.points.get(given["id"])
    if point is None or point.until < cluster.clock():
        cluster.points.pop(given["id"], None)
        reason = f"No search context found for id [{number}]"
        name = point.snapshot[0].index.name if point and point.snapshot else "_na_"
        raise shards_failed(name, cluster.node_id, cause("search_context_missing_exception", reason), 404)
    if "keep_alive" in given:
        point.keep_alive = _seconds(given["keep_alive"])
        point.until = cluster.clock() + point.keep_alive
    return point


def _seconds(text: str) -> float:
    parsed = re.fullmatch(r"(\d+)(nanos|micros|ms|s|m|h|d)", text)
    if parsed is None:
        raise illegal(BAD_TIME.format(text=text))
    seconds = int(parsed[1]) * UNITS[parsed[2]]
    if seconds > LONGEST:
        raise illegal(TOO_LONG.format(text=text))
    return seconds


def _number(key: str) -> int:
    """Return the number of a point in time. Raises Refused for an id that no server gave."""
    try:
        mark, number = base64.urlsafe_b64decode(key).rsplit(b" ", 1)
        if mark + b" " == MARK:
            return int(number)
    except ValueError:
        pass
    raise _invalid(key)


def _invalid(key: str) -> Refused:
    error = illegal(f"invalid id: [{key}]")
    error.body["error"]["caused_by"] = cause("e_o_f_exception", "tried to read: 123 bytes but only 1 remaining")
    return error


@route("GET /_search/point_in_time/_all")
async def list_all(cluster: Cluster, _: Call) -> Plain:
    """Return all points in time."""
    rows = [
        {"pit_id": key, "creation_time": point.created, "keep_alive": int(point.keep_alive * 1000)}
        for key, point in cluster.points.items()
    ]
    return Plain({"pits": rows})


@route("DELETE /_search/point_in_time")
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Delete points in time; those that are lost already are, too."""
    wanted = (call.json() or {}).get("pit_id") or []
    keys = [wanted] if isinstance(wanted, str) else wanted
    if not keys:
        raise invalid_request("no pit ids specified")
    return Plain({"pits": [_deleted(cluster, key) for key in keys]})


@route("DELETE /_search/point_in_time/_all")
async def delete_all(cluster: Cluster, _: Call) -> Plain:
    """Delete all points in time."""
    return Plain({"pits": [_deleted(cluster, key) for key in list(cluster.points)]})


def _deleted(cluster: Cluster, key: str) -> dict[str, Any]:
    _number(key)
    cluster.points.pop(key, None)
    return {"successful": True, "pit_id": key}
