"""Which indices a name stands for: an index, an alias, a pattern, or several of these."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any, cast

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, no_index, refused
from aiomlcommons.emulator.indices.errors import invalid_name
from aiomlcommons.emulator.indices.state import UserIndex

SYSTEM = (".plugins-ml", ".opendistro", ".opensearch")
FORBIDDEN = ' "*\\<|,>/?'
LONGEST = 255
SEVERAL = "alias [{name}] has more than one index associated with it [{indices}], can't execute a single index op"
NO_WRITE_INDEX = (
    "no write index is defined for alias [{name}]. The write index may be explicitly disabled using "
    "is_write_index=false or the alias points to multiple indices without one being designated as a write index"
)


def check_name(cluster: Cluster, name: str) -> None:
    """Raise Refused for a name that no new index may have."""
    if name.startswith(SYSTEM):
        raise _system(name)
    if why := problem_of(name):
        raise invalid_name(name, why)
    if any(name in index.aliases for index in every(cluster)):
        raise invalid_name(name, "already exists as alias")


def problem_of(name: str) -> str | None:
    """Return why neither an index nor an alias may have a name; None if one may."""
    if set(name) & set(FORBIDDEN):
        return 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'
    for letter in "#:":
        if letter in name:
            return f"must not contain '{letter}'"
    if name[0] in "_-+":
        return "must not start with '_', '-', or '+'"
    if name != name.lower():
        return "must be lowercase"
    if (size := len(name.encode())) > LONGEST:
        return f"index name is too long, ({size} > {LONGEST})"
    return "must not be '.' or '..'" if name in {".", ".."} else None


def _system(name: str) -> Refused:
    reason = f"the emulator serves the index [{name}] by the routes of ML Commons only"
    return refused(501, "not_emulated", reason)


def found(cluster: Cluster, expression: str, kind: str = "index_or_alias", *, lenient: bool = False) -> list[UserIndex]:
    """Return the indices that an expression stands for, each once.

    Raises Refused (404) where a name stands for none, unless ``lenient``; a pattern may stand for none.
    """
    indices: dict[str, UserIndex] = {}
    for name in expression.split(","):
        matched = list(_matching(cluster, name))
        if not (matched or "*" in name or lenient or name == "_all"):
            raise _system(name) if name.startswith(SYSTEM) else no_index(name, kind)
        indices |= {index.name: index for index in matched}
    return [indices[name] for name in sorted(indices)]


def _matching(cluster: Cluster, name: str) -> Iterator[UserIndex]:
    pattern = "*" if name == "_all" else name
    for index in every(cluster):
        # A pattern finds no hidden index, unless it begins with a dot itself.
        if index.name.startswith(".") and "*" in pattern and not pattern.startswith("."):
            continue
        if any(fnmatch.fnmatchcase(one, pattern) for one in (index.name, *index.aliases)):
            yield index


def read_index(cluster: Cluster, name: str) -> UserIndex:
    """Return the index that a document is read from. Raises Refused: 404, 400 for an alias of several."""
    indices = found(cluster, name, "index_expression")
    if len(indices) > 1:
        listed = ", ".join(index.name for index in indices)
        raise illegal(SEVERAL.format(name=name, indices=listed))
    return indices[0]


def one_index(cluster: Cluster, name: str) -> UserIndex:
    """Return the index that a document is written to. Raises Refused: 404, 400 for several without one to write to."""
    indices = found(cluster, name, "index_expression")
    if len(indices) == 1 and indices[0].aliases.get(name, {}).get("is_write_index", True):
        return indices[0]
    if chosen := [index for index in indices if index.aliases.get(name, {}).get("is_write_index")]:
        return chosen[0]
    raise illegal(NO_WRITE_INDEX.format(name=name))


def filter_of(index: UserIndex, expression: str) -> Any:
    """Return the query that an alias filters an index by; None where a name in the expression stands for all of it."""
    patterns = ["*" if name == "_all" else name for name in expression.split(",")]
    if any(fnmatch.fnmatchcase(index.name, pattern) for pattern in patterns):
        return None
    own = [one for name, one in index.aliases.items() if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    filters = [one["filter"] for one in own if "filter" in one]
    return {"bool": {"should": filters}} if filters and len(filters) == len(own) else None


def is_alias(cluster: Cluster, name: str) -> bool:
    """Return whether a name is one of an alias."""
    return any(name in index.aliases for index in every(cluster))


def exists(cluster: Cluster, name: str) -> bool:
    """Return whether there is an index or an alias of this name."""
    return name in cluster.own or is_alias(cluster, name)


def every(cluster: Cluster) -> list[UserIndex]:
    """Return all indices of users, by their names."""
    return [cast("UserIndex", cluster.own[name]) for name in sorted(cluster.own)]
