"""What the user may do: reads are tried, writes are asked about, and nothing is changed."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

import attrs
import orjson

from aiomlcommons.api.settings import PREFIX
from aiomlcommons.diagnosis.denials import missing_privilege
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.errors import ApiError, MLCommonsError
from aiomlcommons.wire.features import Feature
from aiomlcommons.wire.version import is_unknown_route

NAME = "permissions"
ROLE = "ml_full_access"
_WHO = "/_plugins/_security/authinfo"
# Since OpenSearch 3.4 at the latest the security plugin answers this in place of doing what is asked. Others refuse a
# request with an unknown parameter before they do anything.
_ONLY_ASK: Mapping[str, str] = {"perform_permission_check": "true"}
_NOBODYS = "aiomlcommons-doctor-only-asks"
# Without these a user cannot do with models what most want to.
_NEEDED = {"search models", "register models", "deploy models"}
# All others are in the role of ML Commons.
_ADMINS = "cluster:admin/settings/update"


@attrs.frozen
class Write:
    """A request that would change something, sent only to ask whether it is allowed. ``None`` is no body."""

    what: str
    method: str
    path: str
    body: Any = None


_MODEL = {"name": _NOBODYS, "version": "1", "model_format": "TORCH_SCRIPT", "function_name": "TEXT_EMBEDDING"}
# The first is one that could do nothing even if it were executed: nobody has this model.
_WRITES = (
    Write("deploy models", "POST", f"/_plugins/_ml/models/{_NOBODYS}/_deploy"),
    Write("register models", "POST", "/_plugins/_ml/models/_register", _MODEL),
    Write("change settings", "PUT", "/_cluster/settings", {"persistent": {f"{PREFIX}{_NOBODYS}": None}}),
)


@attrs.frozen
class Denied:
    """What a user may not do, and the privilege that would allow it; empty where the server does not name it."""

    what: str
    privilege: str


async def check(facts: Facts) -> Checked:
    """Try what only reads, and ask about what writes."""
    who = await _who(facts)
    if who is None and facts.ml.flavor.has(Feature.CLUSTER_SETTINGS):
        return Checked(NAME, "no security plugin: everyone may do everything")
    denied = await _reads(facts)
    unchecked: list[str] = []
    denied += await _writes(facts, unchecked)
    name = (who or {}).get("user_name")
    roles = ", ".join((who or {}).get("roles") or ())
    seen = f"{name}, roles: {roles or 'none'}" if name else "the user is not known"
    return Checked(NAME, seen, _findings(denied, name, facts.ml.url), unchecked)


async def _who(facts: Facts) -> dict[str, Any] | None:
    """Return what the security plugin knows of the user; empty if it does not tell, None if there is no plugin."""
    if not facts.ml.flavor.has(Feature.CLUSTER_SETTINGS):
        return {}
    try:
        found: dict[str, Any] = (await facts.ml.request("GET", _WHO)).json()
    except ApiError as error:
        return None if is_unknown_route(error) else {}
    return found


async def _reads(facts: Facts) -> list[Denied]:
    ml = facts.ml
    tried: Mapping[str, Awaitable[Any]] = {
        "search models": ml.models.search({"size": 1, "_source": False}),
        "search tasks": ml.tasks.search({"size": 1, "_source": False}),
        "search connectors": ml.connectors.search({"size": 1, "_source": False}),
        "read the profile": facts.profile(),
        "read statistics": ml.stats(),
        "read cluster settings": facts.settings(),
        "read statistics of nodes": facts.uses(),
        "list nodes": facts.nodes(),
    }
    return [Denied(what, why) for what, call in tried.items() if (why := await _why_denied(call)) is not None]


async def _why_denied(call: Awaitable[Any]) -> str | None:
    """Return the privilege that a call lacks, perhaps empty; None if it is allowed, or fails otherwise."""
    try:
        await call
    except MLCommonsError as error:
        return missing_privilege(error)
    return None


async def _writes(facts: Facts, unchecked: list[str]) -> list[Denied]:
    """Ask about writes, the harmless one first: if the server cannot be asked, the others are not sent."""
    denied: list[Denied] = []
    for write in _WRITES:
        answer = await _asked(facts, write)
        if answer is None:
            unchecked.append(
                "whether the user may deploy and register models and change settings: a server before 3.4 tells only "
                "who tries"
            )
            break
        if not answer.get("accessAllowed"):
            denied.append(Denied(write.what, ", ".join(map(str, answer.get("missingPrivileges") or ()))))
    return denied


async def _asked(facts: Facts, write: Write) -> dict[str, Any] | None:
    if not facts.ml.flavor.has(Feature.CLUSTER_SETTINGS):
        return None
    try:
        response = await facts.ml.request(write.method, write.path, query=_ONLY_ASK, body=write.body, repeatable=True)
        answer = response.json()
    except (ApiError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "accessAllowed" in answer else None


def _findings(denied: list[Denied], name: str | None, url: str) -> Iterator[Finding]:
    if of_role := [one for one in denied if one.privilege != _ADMINS]:
        path = f"/_plugins/_security/api/rolesmapping/{ROLE}"
        body = {"users": [name or "NAME"]}
        json = ["-H", "content-type: application/json", "-d", orjson.dumps(body).decode()]
        yield Finding(
            Severity.PROBLEM if {one.what for one in of_role} & _NEEDED else Severity.WARNING,
            *_told(of_role),
            advice=f"an administrator maps the role {ROLE} to the user; it replaces the mapping: name its users, too",
            command=shlex.join(["curl", "-u", "admin", "-X", "PUT", f"{url.rstrip('/')}{path}", *json]),
            python=f'await ml.request("PUT", "{path}", body={body!r})',
        )
    if admins := [one for one in denied if one.privilege == _ADMINS]:
        yield Finding(
            Severity.WARNING,
            *_told(admins),
            advice="where a setting keeps from something, an administrator changes it",
            command="aiomlcommons settings set NAME=VALUE --user ADMIN",
            python='await ml.options(auth=("ADMIN", "PASSWORD")).settings.apply(MLSettings(...))',
        )


def _told(denied: list[Denied]) -> tuple[str, str]:
    """Return what the user may not do, and the privileges that are missing."""
    lacks = ", ".join(dict.fromkeys(one.privilege for one in denied if one.privilege))
    return f"the user may not: {', '.join(one.what for one in denied)}", f"missing: {lacks}" if lacks else ""
