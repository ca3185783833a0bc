"""What the pipelines of an index do to its vectors: the new index takes them over, unless they are the old model's."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aiomlcommons.api.search_processors import NeuralQueryEnricher
from aiomlcommons.errors import Forbidden, NotFound, NotSupported
from aiomlcommons.ingest.server_side.plan import Output, Plan
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.facts import IndexFacts

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_T = TypeVar("_T")
NO_PIPELINE = "_none"
_SEARCH = "search.default_pipeline"
# How the new index gets another one.
_REMEDIES = {
    "default_pipeline": "name with pipeline= (--pipeline) one that embeds by the new model, or '_none'",
    "final_pipeline": 'give body={"settings": {"index.final_pipeline": "_none"}}, or one that embeds by the new model',
    _SEARCH: "name with search_pipeline= (--search-pipeline) one of the new model, or '_none'",
}


@attrs.frozen(kw_only=True)
class IngestPipeline:
    """An ingest pipeline: its name, which option replaces it, and the vectors that it makes."""

    name: str
    setting: str
    outputs: tuple[Output, ...] = ()

    def model_of(self, field: str) -> str | None:
        """Return the model by which it fills a field; None if it does not."""
        return next((one.model_id for one in self.outputs if field in {one.field, f"{one.field}.{one.name}"}), None)


@attrs.frozen(kw_only=True)
class Pipelines:
    """The pipelines of an index.

    Attributes:
        ingest: Those that documents go through.
        search: The name of the one that searches go through, and the model that it gives to queries by field;
            under None the one for all fields.
        hidden: The pipelines that the user may not read.
        missing: The pipelines that there are not, each with the setting that names it.
    """

    ingest: tuple[IngestPipeline, ...] = ()
    search: str | None = None
    models: Mapping[str | None, str] = attrs.field(factory=dict)
    hidden: tuple[str, ...] = ()
    missing: Mapping[str, str] = attrs.field(factory=dict)

    def model_of(self, field: str) -> str | None:
        """Return the model that fills a field, or that queries of it are embedded by; None if none tells."""
        filling = (found for one in self.ingest if (found := one.model_of(field)) is not None)
        return next(filling, None) or self.query_model(field)

    def query_model(self, field: str) -> str | None:
        """Return the model that the search pipeline gives to queries of a field."""
        return self.models.get(field) or self.models.get(None)

    @property
    def default(self) -> IngestPipeline | None:
        """The default pipeline, which can be left out by a writer; the final one cannot."""
        return next((one for one in self.ingest if one.setting == "default_pipeline"), None)


async def pipelines_of(ml: Client, index: str, settings: Mapping[str, Any]) -> Pipelines:
    """Return the pipelines that the settings of an index name. Raises ApiError, ConnectError."""
    hidden: list[str] = []
    missing: dict[str, str] = {}
    ingest: list[IngestPipeline] = []
    for setting in ("default_pipeline", "final_pipeline"):
        if (name := settings.get(setting)) and name != NO_PIPELINE:
            outputs = await _known(_outputs(ml, index, str(name)), str(name), setting, hidden, missing)
            ingest.append(IngestPipeline(name=str(name), setting=setting, outputs=tuple(outputs or ())))
    search, models = (settings.get("search") or {}).get("default_pipeline"), None
    if search and search != NO_PIPELINE:
        models = await _known(_query_models(ml, str(search)), str(search), _SEARCH, hidden, missing)
    else:
        search = None
    return Pipelines(ingest=tuple(ingest), search=search, models=models or {}, hidden=tuple(hidden), missing=missing)


async def _known(
    asked: Awaitable[_T], name: str, setting: str, hidden: list[str], missing: dict[str, str]
) -> _T | None:
    """Return what is asked of a pipeline; None, which is noted, if it is hidden or missing."""
    try:
        return await asked
    except (NotFound, KeyError):  # a name that is a pattern is answered with others
        missing[name] = setting
    except (Forbidden, NotSupported):
        hidden.append(name)
    return None


async def _outputs(ml: Client, index: str, name: str) -> list[Output]:
    """Return the vectors that an ingest pipeline makes, and those it runs. Raises NotFound, Forbidden, ApiError."""
    processors = (await ml.pipelines.get(name))[name].to_dict().get("processors", [])
    runs_others = any("pipeline" in one for one in processors)
    others = {key: one.to_dict() for key, one in (await ml.pipelines.get()).items()} if runs_others else {}
    plan = Plan(IndexSink(ml, index))
    plan.add(processors, others, (name,))
    return plan.outputs


async def _query_models(ml: Client, name: str) -> dict[str | None, str]:
    """Return the models that a search pipeline gives to queries. Raises NotFound, Forbidden, ApiError."""
    models: dict[str | None, str] = {}
    for one in (await ml.pipelines.get_search(name))[name].request_processors or ():
        if isinstance(one, NeuralQueryEnricher):
            models.update(one.neural_field_default_id or {})
            models |= {} if one.default_model_id is None else {None: one.default_model_id}
    return models


def check_pipelines(source: IndexFacts, old: Pipelines, new: Pipelines, field: str, model_id: str) -> None:
    """Raise CannotReembed if a pipeline of the new index would work with another model than the new one.

    ``old`` are those of the old index, ``new`` those that the new one is to have.
    """
    for name, setting in new.missing.items():
        if name not in old.missing:
            what, fails = ("search", "search") if setting == _SEARCH else ("ingest", "write")
            raise CannotReembed(
                f"there is no {what} pipeline {name!r}, so that after the switch each {fails} by the alias would fail: "
                f"create it, or {_REMEDIES[setting]}"
            )
    for one in new.ingest:
        if (filled := one.model_of(field)) not in {None, model_id}:
            raise CannotReembed(
                f"the {one.setting.replace('_', ' ')} {one.name!r}{_whose(source, given=one not in old.ingest)} fills "
                f"{field!r} by the model {filled}, whose vectors would stand among those of {model_id}: "
                f"{_REMEDIES[one.setting]}"
            )
    if (asked := new.query_model(field)) not in {None, model_id}:
        raise CannotReembed(
            f"the search pipeline {new.search!r}{_whose(source, given=new.search != old.search)} embeds queries of "
            f"{field!r} by the model {asked}, and the new index holds vectors of {model_id}: "
            f"{_REMEDIES[_SEARCH]}"
        )


def _whose(source: IndexFacts, *, given: bool) -> str:
    return "" if given else f" of index {source.name}"


def remarks(old: Pipelines, new: Pipelines) -> Iterator[str]:
    """Yield what is good to know of the pipelines of the new index."""
    for name in dict.fromkeys((*old.hidden, *new.hidden)):
        yield f"the pipeline {name} cannot be read: whether it embeds by the old model is not known"
    for name in new.missing:
        yield f"there is no pipeline {name}, which the old index names too: each request through it fails"
    for one in new.ingest:
        if one.setting == "final_pipeline":
            yield f"each copy goes through the final pipeline {one.name} once more"
