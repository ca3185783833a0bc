"""Aliases: other names of indices, changed all at once, so that a reader sees the old state or the new one."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, no_index, refused
from aiomlcommons.emulator.indices import blocks, names
from aiomlcommons.emulator.indices.rewriting import check_plugin
from aiomlcommons.emulator.querying.errors import cause
from aiomlcommons.emulator.querying.queries import compiled
from aiomlcommons.emulator.querying.scope import Scope
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

ACKNOWLEDGED = {"acknowledged": True}
CHOICE = "ignore_unavailable allow_no_indices expand_wildcards local"
TIMES = "timeout master_timeout cluster_manager_timeout"
ACTIONS = ("add", "remove", "remove_index")
NOT_EMULATED = 501
KNOWN = {
    *("index", "indices", "alias", "aliases", "filter", "routing", "index_routing", "search_routing"),
    *("is_write_index", "is_hidden", "must_exist"),
}
NOTHING = cause(
    "null_pointer_exception",
    'Cannot invoke "org.opensearch.action.admin.indices.alias.IndicesAliasesRequest$AliasActions.validate()" because '
    '"aliasAction" is null',
)
TOO_MANY = "Too many operations declared on operation entry"
KEPT = ("filter", "is_write_index", "is_hidden", "index_routing", "search_routing")
TWO_WRITE_INDICES = "alias [{name}] has more than one write index [{indices}]"
Aliases = dict[str, dict[str, Any]]


@route(
    *("GET /{index}/_alias", "GET /_alias", "GET /{index}/_alias/{name}", "GET /_alias/{name}"),
    parameters=CHOICE,
)
async def get(cluster: Cluster, call: Call) -> Plain:
    """Return the aliases of indices, or those of some names; 404 for a name that none of them has."""
    expression, wanted = call.names.get("index", "_all"), call.names.get("name")
    found = names.found(cluster, expression, lenient=call.flag("ignore_unavailable"))
    blocks.check(found, "metadata_read")
    if wanted is None:
        return Plain({index.name: {"aliases": index.aliases} for index in found})
    shown = {index.name: {"aliases": own} for index in found if (own := _named(index.aliases, wanted))}
    every = [name for one in shown.values() for name in one["aliases"]]
    missing = [name for name in wanted.split(",") if "*" not in name and name not in every]
    if missing:
        said = f"alias{'es' if len(missing) > 1 else ''} [{', '.join(missing)}] missing"
        return Plain({"error": said, "status": 404, **shown}, 404)
    return Plain(shown)


def _named(aliases: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    patterns = ["*" if one == "_all" else one for one in wanted.split(",")]
    return {name: one for name, one in aliases.items() if any(fnmatch.fnmatchcase(name, each) for each in patterns)}


@route("POST /_aliases", parameters=TIMES)
async def update(cluster: Cluster, call: Call) -> Plain:
    """Do several changes at once: all of them, or none where one is refused."""
    given = (call.json() or {}).get("actions", [])
    if not isinstance(given, list):
        raise _unreadable(NOTHING)
    actions = [_action(one) for one in given]
    if not actions:
        raise illegal("No action specified")
    aliases = _now(cluster)
    gone: set[str] = set()
    done = [(given, _apply(cluster, aliases, gone, kind, given)) for kind, given in actions]
    removed = [given for kind, given in actions if kind == "remove"]
    if needed := [given for given, changes in done if not changes and given.get("must_exist") is True]:
        raise _missing(_listed(needed[0], "alias"))
    if (
        not any(changes for _, changes in done)
        and len(removed) == len(actions)
        and not all(given.get("must_exist") is False for given in removed)
    ):
        raise _missing([alias for given in removed for alias in _listed(given, "alias")])
    _commit(cluster, aliases, gone)
    return Plain(ACKNOWLEDGED)


@route(
    *("PUT /{index}/_alias/{name}", "POST /{index}/_alias/{name}"),
    *("PUT /{index}/_aliases/{name}", "POST /{index}/_aliases/{name}"),
    parameters=TIMES,
)
async def put(cluster: Cluster, call: Call) -> Plain:
    """Give indices an alias."""
    aliases = _now(cluster)
    given = {**(call.json() or {}), "index": call.names["index"], "alias": call.names["name"]}
    _apply(cluster, aliases, set(), "add", given)
    _commit(cluster, aliases, set())
    return Plain(ACKNOWLEDGED)


@route("DELETE /{index}/_alias/{name}", "DELETE /{index}/_aliases/{name}", parameters=TIMES)
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Take aliases from indices. Raises Refused (404) where none of them has one."""
    found, indices = False, names.found(cluster, call.names["index"])
    blocks.check(indices, "metadata_write")
    for index in indices:
        for alias in _named(index.aliases, call.names["name"]):
            del index.aliases[alias]
            found = True
    if not found:
        raise _missing(call.names["name"].split(","))
    return Plain(ACKNOWLEDGED)


# ---- actions ---------------------------------------------------------------------------------------------------------


def _action(one: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(one, Mapping):
        why = cause("x_content_parse_exception", "[1:14] [alias_action] Expected START_OBJECT but was: END_ARRAY")
        raise _unreadable(why, why)
    if not one:
        raise _unreadable(NOTHING)
    (kind, given), *more = one.items()
    if more:
        why = cause("x_content_parse_exception", "Failed to build [alias_action] after last required field arrived")
        raise _unreadable({**why, "caused_by": cause("illegal_argument_exception", TOO_MANY)}, why)
    if kind not in ACTIONS:
        why = cause("x_content_parse_exception", f"[1:14] [alias_action] unknown field [{kind}]")
        raise _unreadable(why)
    for name in ("index", *(["alias"] if kind != "remove_index" else [])):
        if not _listed(given, name):
            plural = "indices" if name == "index" else "aliases"
            raise _unreadable(cause("illegal_argument_exception", f"One of [{name}] or [{plural}] is required"))
    for name, plural in (("index", "indices"), ("alias", "aliases")):
        if name in given and plural in given:
            raise _unfit(
                kind, plural, cause("illegal_argument_exception", f"Only one of [{name}] and [{plural}] is supported")
            )
    if unknown := [name for name in given if name not in KNOWN]:
        raise _unfit(kind, None, cause("x_content_parse_exception", f"[1:14] [{kind}] unknown field [{unknown[0]}]"))
    return kind, given


def _unfit(kind: str, name: str | None, why: Mapping[str, Any]) -> Refused:
    """Return the error of a field of an action; without a name that of one that there is not."""
    if name is not None:
        why = {
            **cause("x_content_parse_exception", f"[1:14] [{kind}] failed to parse field [{name}]"),
            "caused_by": why,
        }
    whole = cause("x_content_parse_exception", f"[1:14] [alias_action] failed to parse field [{kind}]")
    return _unreadable({**whole, "caused_by": why}, {key: one for key, one in why.items() if key != "caused_by"})


def _unreadable(why: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Refused:
    error = refused(400, "x_content_parse_exception", "[1:20] [aliases] failed to parse field [actions]", why)
    if root is not None:
        error.body["error"]["root_cause"] = [root]
    return error


def _listed(given: Mapping[str, Any], name: str) -> list[str]:
    """Return names that may stand alone or in a list, such as ``alias`` and ``aliases``."""
    several = given.get("indices" if name == "index" else "aliases")
    return list(several) if several else [given[name]] if given.get(name) else []


def _apply(cluster: Cluster, aliases: Aliases, gone: set[str], kind: str, given: Mapping[str, Any]) -> bool:
    """Note a change in ``aliases`` and ``gone``; return whether it changes anything."""
    every = [(str(one), names.found(cluster, str(one))) for one in _listed(given, "index")]
    if empty := [one for one, matched in every if not matched]:
        raise no_index(empty[0], "index_or_alias")
    blocks.check([index for _, matched in every for index in matched], "metadata_write")
    indices = [index.name for _, matched in every for index in matched]
    if kind == "remove_index":
        gone.update(indices)
        return bool(indices)
    found = False
    for name in indices:
        for alias in _listed(given, "alias"):
            if kind == "add":
                check_given(cluster, alias, given)
                aliases[name][alias] = kept(given)
                found = True
            else:
                for old in _named(aliases[name], alias):
                    del aliases[name][old]
                    found = True
    return found


def check_given(cluster: Cluster, name: str, given: Mapping[str, Any]) -> None:
    """Raise Refused for a name that no alias may have, or a filter that is no query."""
    # Unlike an index an alias may have large letters.
    if why := names.problem_of(name.lower()):
        raise refused(400, "invalid_alias_name_exception", f"Invalid alias name [{name}]: {why}")
    if "filter" not in given:
        return
    try:
        for kind in given["filter"]:
            check_plugin(cluster, kind, given["filter"])
        compiled(given["filter"], Scope("", "", cluster.node_id, [], given["filter"], {}))
    except Refused as error:
        why_not = {key: one for key, one in error.body["error"].items() if key != "root_cause"}
        if error.status == NOT_EMULATED:
            raise
        words = f"failed to parse filter for alias [{name}]"
        raise refused(400, "illegal_argument_exception", words, why_not) from None


def kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an alias as the server keeps them."""
    routing = {f"{kind}_routing": str(given["routing"]) for kind in ("index", "search") if "routing" in given}
    return {**{option: given[option] for option in KEPT if option in given}, **routing}


def _commit(cluster: Cluster, aliases: Aliases, gone: set[str]) -> None:
    left = {name: own for name, own in aliases.items() if name not in gone}
    for name in {alias for own in left.values() for alias in own}:
        check(name, left)
    for name in gone:
        del cluster.own[name]
    for index in names.every(cluster):
        index.aliases = aliases[index.name]


def check(name: str, aliases: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Refused for an alias that has the name of an index, or more than one index to write to."""
    if name in aliases:
        where: dict[str, Any] = {"index": name, "index_uuid": "_na_"}
        why = f"Invalid alias name [{name}], an index exists with the same name as the alias"
        raise refused(400, "invalid_alias_name_exception", why, **where)
    writers = sorted(index for index, own in aliases.items() if own.get(name, {}).get("is_write_index"))
    if len(writers) > 1:
        reason = TWO_WRITE_INDICES.format(name=name, indices=",".join(writers))
        raise refused(500, "illegal_state_exception", reason)


def _now(cluster: Cluster) -> Aliases:
    return {index.name: dict(index.aliases) for index in names.every(cluster)}


def _missing(aliases: list[str]) -> Refused:
    listed = ", ".join(aliases)
    where: dict[str, Any] = {"resource.id": listed, "resource.type": "aliases"}
    return refused(404, "aliases_not_found_exception", f"aliases [{listed}] missing", **where)
