"""The processor ``text_image_embedding``: one vector of a text with an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.drafts import Draft, Work, makes
from aiomlcommons.emulator.pipelines.options import Options, java_type

FIELDS = ("image", "text")
NO_MODEL = "model_id is null or empty, can not process it"
BAD_MAP = "Unable to create the TextImageEmbedding processor as field_map has invalid key or value"
BAD_NAME = (
    "Unable to create the TextImageEmbedding processor with provided field name(s). Following names are supported "
    f"[{','.join(FIELDS)}]"
)
UNLIKE = "Unsupported format of the field in the document, {name} value must be a non-empty string. Currently it is"


@makes("text_image_embedding")
def text_image_embedding(options: Options) -> Work:
    """Embed a text and an image together; a document without either is left as it is."""
    model_id, target, field_map = options.text("model_id"), options.text("embedding"), options.map("field_map")
    skips = options.flag("skip_existing")
    if not model_id.strip():
        raise options.illegal(NO_MODEL)
    if not field_map or any(not key.strip() or value is None for key, value in field_map.items()):
        raise options.illegal(BAD_MAP)
    if any(key not in FIELDS for key in field_map):
        raise options.illegal(BAD_NAME)

    async def work(cluster: Cluster, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            try:
                found = _found(draft.source, field_map)
                if not found or (skips and _reused(draft, field_map, target)):
                    continue
                text, image = found.get("text"), found.get("image")
                draft.source[target] = await asking.of_text_and_image(cluster, model_id, text, image)
            except Refused as error:
                draft.error = error

    return work


def _found(source: Mapping[str, Any], field_map: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for key, name in field_map.items():
        if name not in source:
            continue
        value = source[name]
        if not isinstance(value, str) or not value.strip():
            shown = "null" if value is None else f"'{value}'. Type is class {java_type(value)}"
            raise illegal(f"{UNLIKE.format(name=name)} {shown}")
        found[key] = value
    return found


def _reused(draft: Draft, field_map: Mapping[str, str], target: str) -> bool:
    """Take the vector that the index has, if it was made of the same text and image; return whether it was."""
    stored = draft.stored or {}
    if target not in stored or any(stored.get(name) != draft.source.get(name) for name in field_map.values()):
        return False
    draft.source[target] = stored[target]
    return True
