"""The processors ``text_embedding`` and ``sparse_encoding``: vectors and token weights of the texts of documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.drafts import Draft, Work, makes
from aiomlcommons.emulator.pipelines.field_maps import FieldMap, Slot, check, check_listed, nested, slots
from aiomlcommons.emulator.pipelines.options import Options
from aiomlcommons.emulator.pipelines.pruning import pruner

BAD_MAP = "Unable to create the processor as field_map has invalid key or value"
NO_MODEL = "model_id is null or empty, cannot process it"
Fill = Callable[[Cluster, list[Slot], Sequence[Draft]], Awaitable[None]]


@makes("text_embedding")
def text_embedding(options: Options) -> Work:
    """Embed texts by a dense model. A list of texts becomes objects with the vector under ``knn``."""
    model_id, field_map, skips = _read(options)

    async def fill(cluster: Cluster, wanted: list[Slot], _: Sequence[Draft]) -> None:
        texts = [text for slot in wanted for text in slot.texts]
        _hand_out(wanted, await asking.dense(cluster, model_id, texts), "knn")

    return _work(field_map, fill, skips=skips)


@makes("sparse_encoding")
def sparse_encoding(options: Options) -> Work:
    """Weigh the tokens of texts by a sparse model. A list of texts becomes objects under ``sparse_encoding``."""
    model_id, field_map, skips = _read(options)
    pruned = pruner(options)

    async def fill(cluster: Cluster, wanted: list[Slot], drafts: Sequence[Draft]) -> None:
        # Fields of sparse vectors have the ids of tokens, those of features their words.
        fields = drafts[0].fields
        ids = {path for path, field in fields.items() if field.type == "sparse_vector"}
        for as_ids in (False, True):
            some = [slot for slot in wanted if (slot.path in ids or f"{slot.path}.sparse_encoding" in ids) is as_ids]
            if some:
                texts = [text for slot in some for text in slot.texts]
                weights = await asking.sparse(cluster, model_id, texts, as_ids=as_ids)
                _hand_out(some, [pruned(one) for one in weights], "sparse_encoding")

    return _work(field_map, fill, skips=skips)


def _read(options: Options) -> tuple[str, FieldMap, bool]:
    model_id, field_map = options.text("model_id"), options.map("field_map")
    if not model_id.strip():
        raise options.illegal(NO_MODEL)
    if not field_map or any(not key.strip() or not _is_target(value) for key, value in field_map.items()):
        raise options.illegal(BAD_MAP)
    return model_id, field_map, options.flag("skip_existing")


def _is_target(value: Any) -> bool:
    return isinstance(value, dict) or bool(str(value or "").strip())


def _work(field_map: FieldMap, fill: Fill, *, skips: bool) -> Work:
    async def work(cluster: Cluster, drafts: Sequence[Draft]) -> None:
        # A name with a dot too many is refused for each document, and not in the configuration.
        fields = nested(field_map)
        wanted = [slot for draft in drafts for slot in _slots(draft, fields, skips=skips)]
        if wanted:
            await fill(cluster, wanted, drafts)

    return work


def _slots(draft: Draft, field_map: FieldMap, *, skips: bool) -> list[Slot]:
    """Return the texts of a draft. One that has something else in their place fails alone, and not its batch."""
    try:
        draft.source = nested(draft.source)
        check(draft.source, field_map)
        check_listed(draft.source, field_map)
    except Refused as error:
        draft.error = error
        return []
    found = slots(draft.source, field_map, draft.stored if skips else None)
    return [slot for slot in found if not (skips and slot.reuse())]


def _hand_out(wanted: list[Slot], results: list[Any], key: str) -> None:
    start = 0
    for slot in wanted:
        end = start + len(slot.texts)
        slot.fill(results[start:end], key)
        start = end
