"""What of an index keeps it from being re-embedded: each is said before work begins, with the remedy."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiomlcommons.reembedding.asking import count_of, hits_of
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.facts import IndexFacts, unset
from aiomlcommons.spelling import SUGGESTED, did_you_mean, some_of
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_SAMPLED = 100


def check_state(source: IndexFacts) -> None:
    """Raise CannotReembed if an index cannot be read as a whole."""
    name = source.name
    if source.streams:
        raise CannotReembed(
            f"{name} belongs to a data stream, whose indices are not switched one by one: embed new documents with the "
            "new model by the stream's template, and copy old ones by ml.ingest"
        )
    if not source.is_open:
        raise CannotReembed(f"index {name} is closed: open it (POST /{name}/_open)")
    if source.health == "red":
        raise CannotReembed(
            f"index {name} is red: some of its documents cannot be read, and the new index would lack them; let its "
            "shards recover (aiomlcommons doctor), or restore it from a snapshot"
        )


def check_blocks(source: IndexFacts, *, in_place: bool) -> None:
    """Raise CannotReembed if an index is read-only where that is in the way."""
    name = source.name
    if source.is_set("blocks.read_only_allow_delete"):
        raise CannotReembed(
            f"index {name} is read-only because a disk was full (index.blocks.read_only_allow_delete), and there is no "
            f"room for a second copy: make room, then {unset(name, 'blocks.read_only_allow_delete')}"
        )
    for block in ("blocks.read_only", *(("blocks.write",) if in_place else ())):
        if source.is_set(block):
            why = "its documents cannot get a field" if in_place else "no alias can be taken from it"
            raise CannotReembed(f"index {name} is read-only (index.{block}), so that {why}: {unset(name, block)}")


def check_text(source: IndexFacts, names: Sequence[str]) -> None:
    """Raise CannotReembed if the mapping has no field of the text, or one that the server embeds itself."""
    every = dict(_leaves(source.mappings))
    for name in names:
        if name not in every and not _is_unmapped(source.mappings, name):
            texts = [field for field, spec in every.items() if spec.get("type") == "text"]
            known = some_of(map(repr, texts or every), SUGGESTED) or "none"
            hint = did_you_mean(name, texts, f"its fields of text are {known}")
            raise CannotReembed(
                f"index {source.name} has no field {name!r}, which is to be embedded (text=, --text); {hint}"
            )
    for name, spec in every.items():
        if spec.get("type") == "semantic":
            raise CannotReembed(
                f"the field {name!r} of index {source.name} is semantic: the server embeds it itself, by the model "
                "that the mapping names, in each copy anew; make an index for the new model by "
                "ml.indices.create_for(..., semantic=True), and copy the documents by ml.ingest"
            )


def _is_unmapped(mappings: Mapping[str, Any], name: str) -> bool:
    """Return whether documents may have a field that the mapping does not name."""
    above: Mapping[str, Any] = mappings
    for part in name.split("."):
        if _keeps_unknown(above):
            return True
        above = (above.get("properties") or {}).get(part) or {}
    return False


def _keeps_unknown(spec: Mapping[str, Any]) -> bool:
    return str(spec.get("dynamic", "true")).lower() in {"false", "runtime"} or spec.get("enabled") is False


def _leaves(mappings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, spec in (mappings.get("properties") or {}).items():
        if "properties" in spec:
            yield from _leaves(spec, f"{above}{name}.")
        yield f"{above}{name}", spec


# ---- _source ---------------------------------------------------------------------------------------------------------


def left_out(mappings: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return which of some fields the ``_source`` of a mapping leaves out."""
    found = mappings.get("_source") or {}
    if str(found.get("enabled", True)).lower() == "false":
        return list(names)
    excludes, includes = _listed(found.get("excludes")), _listed(found.get("includes"))
    return [
        name
        for name in names
        if any(_covers(pattern, name) for pattern in excludes)
        or (includes and not any(_covers(pattern, name) for pattern in includes))
    ]


def _covers(pattern: str, name: str) -> bool:
    # A pattern is also one for all that is within the object that it names.
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*")


def _listed(found: Any) -> list[str]:
    return [found] if isinstance(found, str) else list(found or ())


def check_source(source: IndexFacts, texts: Sequence[str], dropped: Sequence[str], *, in_place: bool) -> None:
    """Raise CannotReembed if ``_source`` lacks what is to be copied or embedded; ``dropped`` is not copied."""
    name = source.name
    if str((source.mappings.get("_source") or {}).get("enabled", True)).lower() == "false":
        raise CannotReembed(
            f"index {name} keeps no _source, so that there is nothing to copy or to embed: load the documents anew "
            "from where they came, by ml.ingest"
        )
    if lost := left_out(source.mappings, texts):
        raise CannotReembed(
            f"the _source of index {name} leaves out {some_of(map(repr, lost), SUGGESTED)}, the text to embed: it is "
            "indexed, and cannot be read back; load the documents anew from where they came, by ml.ingest"
        )
    fields = [field for field, spec in _leaves(source.mappings) if "properties" not in spec]
    lost = [field for field in left_out(source.mappings, fields) if in_place or field not in dropped]
    if not lost:
        return
    what = some_of(map(repr, lost), SUGGESTED)
    if in_place:
        raise CannotReembed(
            f"the _source of index {name} leaves out {what}, and a partial update would lose it in every document: "
            "make a new index instead, with alias= (--alias)"
        )
    vectors = [field for field in lost if field in source.vectors]
    remedy = (
        f"give the new vectors this name, field={vectors[0]!r}, and they take the place of the old ones"
        if vectors == lost and len(lost) == 1
        else "load the documents anew from where they came, by ml.ingest"
    )
    raise CannotReembed(f"the _source of index {name} leaves out {what}, and copies would lose it: {remedy}")


# ---- documents that are hidden ---------------------------------------------------------------------------------------

# Both numbers are of different moments, and writers write meanwhile.
_SHARE, _FEW, _TRIES = 0.9, 20, 3


async def check_all_seen(ml: Client, source: IndexFacts) -> None:
    """Raise CannotReembed if searches find far fewer documents than the index has. Raises ApiError."""
    if any(spec.get("type") == "nested" for _, spec in _leaves(source.mappings)):
        return  # whose parts are counted too
    found, stored = source.documents, 0
    for _ in range(_TRIES):
        answer = (await ml.request("GET", f"/{quoted(source.name)}/_stats")).json()
        stored = int(answer["_all"]["primaries"]["docs"]["count"])
        if found >= _SHARE * stored - _FEW:
            return
        await ml.indices.refresh(source.name)
        found = await count_of(ml, source.name)
    raise CannotReembed(
        f"index {source.name} has {stored:,} documents, and searches find {found:,}: the others are hidden from this "
        "user (document-level security), and the new index would lack them; use one who sees all"
    )


# ---- versions --------------------------------------------------------------------------------------------------------


async def check_versions(ml: Client, source: IndexFacts) -> None:
    """Raise CannotReembed if writers give documents versions of their own, as far as the newest documents tell."""
    body = {"size": _SAMPLED, "sort": [{"_seq_no": "desc"}], "_source": False, "version": True}
    hits = await hits_of(ml, source.name, {**body, "seq_no_primary_term": True})
    for hit in hits:
        if hit["_version"] > hit["_seq_no"] + 1:
            raise CannotReembed(
                f"document {hit['_id']!r} of index {source.name} has the version {hit['_version']}, which a writer "
                "gave it (version_type=external): the new index would refuse its next writes, for there versions tell "
                "copies from newer documents; use a second field instead (field= without alias=)"
            )
