"""The parameters that a remote model takes its texts by, as its connector's request tells them.

A server without the algorithm route passes ``parameters`` to the connector's ``request_body`` as they are: its
``pre_process_function``, which turns texts into parameters, is not applied. So this does what that function would do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aiomlcommons.net.rules import AMOUNT
from aiomlcommons.typed import typed_fields

if TYPE_CHECKING:
    from aiomlcommons.api.connectors import ConnectorAction

TEXTS = ("input", "inputs", "texts", "text_docs", "documents", "inputText", "text", "sentences", "passages", "sources")
QUERIES = ("query", "query_text", "queries")
COUNTS = ("top_n", "numberOfResults")
# Cohere's words for a query and a passage.
SIDES = {"query": "search_query", "passage": "search_document"}
STEP = "input_docs_processed_step_size"
_PLACE = re.compile(r"\$\{parameters\.(\w+)(:-[^}]*)?\}")
_QUOTE = re.compile(r'(?<!\\)"')


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class ModelInputs:
    """The names of the parameters by which a remote model takes texts; None for those that it does not have.

    Args:
        texts: The texts to embed, encode or rank.
        query: The query that a reranker ranks for.
        question: The question to answer.
        context: The text to find the answer in.
        count: The number of texts, which some rerankers want.
        side: Whether the texts are queries or passages, in Cohere's words.
        most: The most texts in one request. Default: no limit.
        single: Whether ``texts`` is one text, not a list; then each request has one.
        bedrock: Whether query and texts are wrapped as Amazon Bedrock's Rerank wants them.
    """

    texts: str | None = None
    query: str | None = None
    question: str | None = None
    context: str | None = None
    count: str | None = None
    side: str | None = None
    most: int | None = attrs.field(default=None, validator=attrs.validators.optional(AMOUNT))
    single: bool = False
    bedrock: bool = False

    @property
    def size(self) -> int | None:
        """The most texts in one request; None is no limit."""
        return 1 if self.single else self.most

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters for values by role: ``{"texts": [...], "query": "..."}``.

        Raises LookupError, with the roles that the model has no parameter for; ``side`` it may do without.
        """
        values = dict(given)
        if "texts" in values and self.count:
            values["count"] = len(values["texts"])
        if missing := [role for role in values if role != "side" and getattr(self, role) is None]:
            raise LookupError(" and ".join(missing))
        if self.bedrock:
            values |= _for_bedrock(values)
        elif self.single and "texts" in values:
            values["texts"] = values["texts"][0]
        names = {role: getattr(self, role) for role in values}
        return _escaped({name: values[role] for role, name in names.items() if name is not None})


@attrs.frozen
class KnownInputs:
    """The inputs of a session's models by id: those that the program ``declared``, and those that were ``found``."""

    declared: dict[str, ModelInputs] = attrs.field(factory=dict)
    found: dict[str, ModelInputs] = attrs.field(factory=dict)

    def get(self, model_id: str) -> ModelInputs | None:
        """Return the inputs of a model, or None."""
        return self.declared.get(model_id) or self.found.get(model_id)


def inputs_of(action: ConnectorAction, parameters: Mapping[str, Any]) -> ModelInputs:
    """Return the inputs of a connector's action; ``parameters`` are those that the connector sets itself.

    A parameter is found by its name; the texts are also the only parameter that nothing else sets.
    """
    body = action.request_body or ""
    places = {found[1]: found for found in _PLACE.finditer(body)}
    unset = [name for name, found in places.items() if found[2] is None and name not in parameters]
    named = _first(TEXTS, unset)
    texts = named or (unset[0] if len(unset) == 1 else None)
    queries = _first(QUERIES, unset)
    step = str(parameters.get(STEP, ""))
    return ModelInputs(
        texts=texts,
        query=queries,
        question=_first(("question",), unset),
        context=_first(("context",), unset),
        count=_first(COUNTS, unset),
        side=_first(("input_type",), places),
        most=int(step) if step.isdecimal() and int(step) else None,
        single=texts is not None and _in_string(body, places[texts].start()),
        bedrock=(queries, texts) == ("queries", "sources"),
    )


def _first(names: Iterable[str], given: Iterable[str]) -> str | None:
    known = set(given)
    return next((name for name in names if name in known), None)


def _in_string(template: str, position: int) -> bool:
    """Return whether a position of a JSON template is within a string."""
    return len(_QUOTE.findall(template, 0, position)) % 2 == 1


def _for_bedrock(values: Mapping[str, Any]) -> dict[str, Any]:
    documents: Sequence[str] = values.get("texts", ())
    sources = [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}}
        for text in documents
    ]
    return {"query": [{"type": "TEXT", "textQuery": {"text": values.get("query", "")}}], "texts": sources}


def _escaped(parameters: dict[str, Any]) -> dict[str, Any]:
    """Escape the texts that look like JSON: the server inserts them into the request as they are, within quotes."""
    odd = [key for key, value in parameters.items() if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}]
    if not odd:
        return parameters
    escaped = {key: orjson.dumps(parameters[key]).decode()[1:-1] for key in odd}
    return {**parameters, **escaped, "no_escape_params": ",".join(odd)}
