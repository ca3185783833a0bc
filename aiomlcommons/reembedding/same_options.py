"""Whether what a call says of the new index is what the run that it goes on with began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.api.index_records import Index
from aiomlcommons.indices.mapping import field_of, given_settings, merged
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.reembedding.errors import WrongRun
from aiomlcommons.reembedding.new_index import nested
from aiomlcommons.reembedding.pipelines import NO_PIPELINE
from aiomlcommons.reembedding.run import command
from aiomlcommons.reembedding.state import State
from aiomlcommons.reembedding.wanted import Wanted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Where the settings of an index have the pipeline that an option names.
_PIPELINES = {"pipeline": ("default_pipeline",), "search_pipeline": ("search", "default_pipeline")}


def digest_of(body: Mapping[str, Any]) -> str:
    """Return what tells one body of an index from another; the state keeps it, for a body may be long."""
    text = json.dumps(body, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


async def check_same(ml: Client, wanted: Wanted, target: str, state: State) -> None:
    """Raise WrongRun if an option that is given describes another index than the one that was begun, ApiError.

    What is left out is as it was.
    """
    words = list(_other_task(wanted, state))
    if not words and (wanted.pipeline or wanted.search_pipeline or any(wanted.asked.values())):
        words += _other_index(wanted, (await ml.indices.get(target))[target], state)
    if words:
        raise WrongRun(
            f"the re-embedding of index {state.made_of.source} into {target} was begun otherwise: {'; '.join(words)}; "
            f"leave that out to go on, or undo it ({command(state, '--rollback')}) and begin anew"
        )


def _other_task(wanted: Wanted, state: State) -> Iterator[str]:
    task = state.made_of
    if wanted.alias not in {None, state.alias}:
        yield f"with alias={state.alias!r}, not {wanted.alias!r}"
    if wanted.field not in {None, task.field}:
        yield f"with field={task.field!r}, not {wanted.field!r}"
    if wanted.text not in {"text", task.text}:  # "text" is also said by who says nothing
        yield f"with text={task.text!r}, not {wanted.text!r}"
    if wanted.body and state.body is not None and state.body != digest_of(wanted.body):
        yield "with another body="


def _other_index(wanted: Wanted, found: Index, state: State) -> Iterator[str]:
    task, body = state.made_of, nested(given_settings(wanted.body))
    for option, path in _PIPELINES.items():
        if (given := getattr(wanted, option)) is None:
            continue
        # What the body says counts before the option.
        asked = _at(merged(nested({".".join(path): given}), body), path)
        if (has := _at(found.settings["index"], path)) != asked:
            setting = f'"index.{".".join(path)}": "{asked}"'
            yield (
                f"the new index has {option}={has!r}, not {given!r} "
                f'(`await ml.indices.put_settings("{task.target}", {{{setting}}})` changes it)'
            )
    if any(wanted.asked.values()):
        asked_of = VectorField(sparse=task.sparse, **wanted.asked)
        had = field_of(found.mappings, task.field)
        if had.get("type") != asked_of.type:
            yield f"its field {task.field!r} is of type {had.get('type')}, not {asked_of.type}"
        for words in asked_of.differing(had):
            yield f"its field {task.field!r} {words}"


def _at(settings: Any, path: tuple[str, ...]) -> str:
    for name in path:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return NO_PIPELINE if settings is None else str(settings)
