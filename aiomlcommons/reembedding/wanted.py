"""What was asked for: the options of ``ml.reembed``, checked by themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.requirements import OF_EVALUATION, Requirement, requirements
from aiomlcommons.indices.vector_field import Method, VectorField
from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.reembedding.task import Pace, of

# What a server refuses in the name of an index.
_FORBIDDEN = re.compile(r"[A-Z\s\\/*?\"<>|,#:]|^[-_+.]")


@attrs.frozen(kw_only=True)
class Wanted:
    """The options of a re-embedding; ``Session.reembed`` documents each. Raises InvalidRequest."""

    index: str
    model: Spec | str | None = None
    alias: str | None = None
    field: str | None = None
    text: str = "text"
    target: str | None = None
    body: Mapping[str, Any] = attrs.field(factory=dict)
    engine: str | None = None
    method: Method | None = None
    space_type: str | None = None
    pipeline: str | None = None
    search_pipeline: str | None = None
    old_model: str | None = None
    queries: Any = None
    judgments: Any = None
    require: Sequence[Requirement] = attrs.field(default=(), converter=requirements)
    max_failures: int = 0
    freeze: bool = False
    resume: bool | None = None
    sample: bool = True
    pace: Pace = attrs.field(factory=Pace)

    def __attrs_post_init__(self) -> None:
        for name in ("index", "alias", "field", "text", "target", "pipeline", "search_pipeline", "old_model"):
            _check_text(name, getattr(self, name), none=name not in {"index", "text"})
        if not isinstance(self.model, str | Spec | None):
            raise InvalidRequest(f"model must be an id, a name or a spec such as PretrainedModel, not {self.model!r}")
        if not isinstance(self.body, Mapping):
            raise InvalidRequest(f"body must be a dict of settings and mappings, not {self.body!r}")
        for name in ("freeze", "sample", "resume"):
            if not isinstance(getattr(self, name), bool) and (name != "resume" or self.resume is not None):
                raise InvalidRequest(f"{name} must be True or False, not {getattr(self, name)!r}")
        _check_failures(self.max_failures)
        self._check_names()
        self._check_shape()
        self._check_queries()
        VectorField(**self.asked)  # refuses a misspelt name
        self.pace.options(self.text)

    @property
    def in_place(self) -> bool:
        """Whether the vectors become a second field of the same index."""
        return self.alias is None

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked for of the field of vectors."""
        return {"engine": self.engine, "method": self.method, "space_type": self.space_type}

    @property
    def evaluated(self) -> list[Requirement]:
        """The requirements that need queries and judgments."""
        known = {one.partition("@")[0] for one in OF_EVALUATION}
        return [one for one in self.require if one.metric.partition("@")[0] in known]

    def _check_names(self) -> None:
        for name in (self.index, self.alias, self.target):
            if name is not None and (found := _FORBIDDEN.search(name)):
                raise InvalidRequest(
                    f"{name!r} cannot be the name of one index or alias: {found[0]!r} is not allowed in it there"
                )
        if self.alias == self.index:
            raise InvalidRequest(
                f"alias and index are both {self.index!r}: index= is the index itself, and alias= the name that "
                "programs use for it"
            )
        if self.target is not None and self.target in {self.index, self.alias}:
            what = "the index" if self.target == self.index else "the alias"
            raise InvalidRequest(f"target must be the name of a new index, and {self.target!r} is {what} itself")
        for name in TextFrom(self.text).names:
            if self.field is not None and name in {self.field, of(self.field)}:
                raise InvalidRequest(f"field and text are both {name!r}: the vectors would replace the text")

    def _check_shape(self) -> None:
        if not self.in_place:
            return
        if self.field is None and self.resume is not True and self.model is not None:
            raise InvalidRequest(
                f"name alias=, the name that programs use for {self.index!r}, which is then switched to a new index; "
                "or field=, a new field of the same index"
            )
        for name in ("target", "pipeline", "search_pipeline", "freeze", "body"):
            if getattr(self, name):
                raise InvalidRequest(
                    f"{name}= is for a new index, and without alias= the vectors become a field of the same one: name "
                    f"alias= (--alias), or leave {name}= out"
                )

    def _check_queries(self) -> None:
        if (self.queries is None) != (self.judgments is None):
            given, lacking = ("queries", "judgments") if self.judgments is None else ("judgments", "queries")
            raise InvalidRequest(f"{given}= needs {lacking}= too: which documents are the right ones for which query")
        if self.evaluated and self.queries is None:
            raise InvalidRequest(
                f"require: {self.evaluated[0].words!r} needs queries= and judgments=, by which it is measured"
            )
        for one in self.require:
            if one.other not in {None, "old"}:
                raise InvalidRequest(
                    f"require: {one.words!r}: there is no system {one.other!r}; the other one is 'old'"
                )


def _check_text(name: str, value: Any, *, none: bool) -> None:
    if none and value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name} must be a name, not {value!r}")


def _check_failures(value: Any) -> None:
    is_count = not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 0
    if not is_count and value != math.inf:
        raise InvalidRequest(
            f"max_failures must be the number of documents that may stay without a vector, not {value!r}"
        )
