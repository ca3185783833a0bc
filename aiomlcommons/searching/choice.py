"""What a text is searched in: the field of vectors, the model that fits it, and the field of texts beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiomlcommons.indices.model_field import is_sparse
from aiomlcommons.indices.plugins import KNN, NEURAL_SEARCH
from aiomlcommons.searching.errors import NotSearchable
from aiomlcommons.searching.facts import Facts
from aiomlcommons.searching.fields import Field
from aiomlcommons.searching.models import QueryModel, given_model, own_model, suitable
from aiomlcommons.searching.plugins import install
from aiomlcommons.searching.wanted import Wanted
from aiomlcommons.spelling import SUGGESTED, did_you_mean, some_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_TEXTS = ("text", "match_only_text", "search_as_you_type")


@attrs.frozen
class Choice:
    """What was chosen, and why. Without a ``model`` the server's own tokenizer finds the tokens of the text."""

    field: Field
    model: QueryModel | None
    text_field: Field | None
    reasons: tuple[str, ...]

    @property
    def model_id(self) -> str | None:
        """The id of the model, if there is one."""
        return self.model.model_id if self.model else None


async def choose(ml: Client, facts: Facts, wanted: Wanted) -> Choice:
    """Choose what the caller left open. Raises NotSearchable, with the remedy, where nothing fits, or more than one."""
    given = None if wanted.model is None else await given_model(ml, wanted.model)
    field = _field(facts, wanted, given)
    if field.is_dense and facts.knn is False:
        raise NotSearchable(
            f"index {facts.index} was made without the setting index.knn, which cannot be changed, and its dense "
            "vectors cannot be searched: copy the documents into an index that ml.indices.create_for makes"
        )
    model = given or await own_model(ml, facts, field)
    if model is None and not _is_tokenized(facts, field):
        raise NotSearchable(
            f"name the model that made the vectors of {field} by model= (--model): nothing in the index tells"
            f"{await suitable(ml, field)}"
        )
    if model is not None and (words := model.misfit(field)):
        raise NotSearchable(
            f"the model {_called(model)} {words}: search index {wanted.index} in {field} by the model that made its "
            f"vectors{await suitable(ml, field)}"
        )
    if model is not None and not model.is_at_hand:
        raise NotSearchable(
            f"the model {_called(model)} is {model.record.model_state}, and cannot embed the text: "
            f"`await ml.models.ensure({model.model_id!r})` deploys it"
        )
    text_field, why = _text_field(facts, wanted, field)
    if wanted.hybrid and text_field is None:
        raise NotSearchable(f"hybrid=True: {why}")
    by = (
        f"model {_called(model)}: {model.why}"
        if model
        else "no model is named: the server's tokenizer finds the tokens"
    )
    return Choice(field, model, text_field, (f"field {field}", by, why))


def _called(model: QueryModel) -> str:
    return f"{model.record.name} ({model.model_id})"


# ---- the field of vectors --------------------------------------------------------------------------------------------


def _field(facts: Facts, wanted: Wanted, model: QueryModel | None) -> Field:
    if wanted.field is not None:
        return _named(facts, wanted.field)
    vectors = list(facts.vectors.values())
    if not vectors:
        raise _nothing(facts, model)
    fitting = [field for field in vectors if model is None or not model.misfit(field)]
    if not fitting and model is not None:
        found = "; ".join(f"{field}: it {model.misfit(field)}" for field in vectors[:SUGGESTED])
        raise NotSearchable(
            f"index {facts.index} has no field for what the model {_called(model)} makes ({found}): name the model "
            "that made its vectors"
        )
    if len(fitting) > 1:
        raise NotSearchable(
            f"index {facts.index} has several fields of vectors: name one by field=, of "
            f"{some_of(map(str, fitting), SUGGESTED)}"
        )
    return fitting[0]


def _named(facts: Facts, name: str) -> Field:
    if (field := facts.fields.get(name)) is None:
        others = some_of(facts.vectors or facts.fields, SUGGESTED)
        near = did_you_mean(name, facts.fields, f"its fields are {others}" if others else "it has none")
        raise NotSearchable(f"index {facts.index} has no field {name!r}; {near}")
    if not field.holds_vectors:
        others = some_of(facts.vectors, SUGGESTED)
        remedy = f"those that do are {others}" if others else "and no other does"
        raise NotSearchable(f"index {facts.index}: field {field} holds no vectors; {remedy}")
    return field


def _nothing(facts: Facts, model: QueryModel | None) -> NotSearchable:
    """Return the error for an index without vectors, with the plugin that the cluster lacks."""
    if facts.others:
        return NotSearchable(
            f"index {facts.index} stands for several, and there is no field of vectors that all of them have alike "
            f"(there are {some_of(facts.others, SUGGESTED)}): search them one by one"
        )
    lacks_knn = facts.plugins.knn is False and not (model and is_sparse(model.record))
    first = f"{install(KNN)}, then " if lacks_knn else ""
    lacks = " and the cluster has no k-NN plugin" if lacks_knn else ""
    return NotSearchable(
        f"index {facts.index} has no field of vectors (knn_vector, rank_features, sparse_vector or semantic){lacks}: "
        f"{first}make an index for the vectors of a model by ml.indices.create_for, and fill it by ml.ingest; for "
        f"words alone use ml.search({facts.index!r}, {{'match': ...}})"
    )


def _is_tokenized(facts: Facts, field: Field) -> bool:
    """Return whether the server finds the tokens of a text for a field without a model."""
    return not field.is_dense and field.type != "semantic" and facts.plugins.neural_search is not False


# ---- the field of texts ----------------------------------------------------------------------------------------------


def _text_field(facts: Facts, wanted: Wanted, field: Field) -> tuple[Field | None, str]:
    """Return the field whose words are searched beside the vectors, or None, and why."""
    if wanted.hybrid is False:
        return None, "vectors only, as hybrid=False says"
    if facts.plugins.neural_search is False:
        return None, f"vectors only; for hybrid queries {install(NEURAL_SEARCH)}"
    if wanted.text_field is not None:
        return _named_texts(facts, wanted.text_field), f"words in {wanted.text_field}, as text_field says"
    if field.type == "semantic":
        return field, f"words in {field.name} itself"
    texts = [one for one in facts.fields.values() if one.type in _TEXTS and one.nested is None]
    sources = {one.source for one in facts.pipelines.embedders if one.fills(field.name)}
    # A dynamic mapping makes a text of every string, and gives it keywords; who maps a text for search seldom does.
    for found, why in (
        ([one for one in texts if one.name in sources], "which the vectors are of"),
        ([one for one in texts if "keyword" not in one.spec.get("fields", {})], "its only field of plain text"),
        (texts, "its only field of texts"),
    ):
        if len(found) == 1:
            return found[0], f"words in {found[0].name}, {why}"
    if not texts:
        return None, "vectors only: the index has no field of texts"
    names = some_of((one.name for one in texts), SUGGESTED)
    return None, f"vectors only: there are several fields of texts ({names}); name one by text_field="


def _named_texts(facts: Facts, name: str) -> Field:
    if (found := facts.fields.get(name) or _part(facts, name)) is None:
        near = did_you_mean(name, facts.fields, "give a field of texts")
        raise NotSearchable(f"index {facts.index} has no field {name!r}; {near}")
    if found.holds_vectors and found.type != "semantic":
        raise NotSearchable(f"index {facts.index}: field {found} holds no texts; give a field of texts")
    return found


def _part(facts: Facts, name: str) -> Field | None:
    """Return what a field is indexed as besides, such as ``text.english``."""
    above, _, last = name.rpartition(".")
    if (field := facts.fields.get(above)) is None or last not in field.spec.get("fields", {}):
        return None
    spec = field.spec["fields"][last]
    return Field(name, spec, spec, name, field.nested)
