"""What a model's record tells of its vectors: their kind, their dimension, and how they are to be compared."""

from __future__ import annotations

import re

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model

SPARSE = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}
# All of them rank vectors of length 1 alike, and each engine has the first one; Faiss has the second only since 2.19.
OF_UNIT_VECTORS = ("innerproduct", "cosinesimil", "l2")
# Models whose vectors are trained for the dot product, and are of different lengths, say so in their names.
_FOR_DOT_PRODUCTS = re.compile(r"(?:^|[-_/])(?:dot|tas-b)(?:[-_]|$)", re.IGNORECASE)


def is_sparse(model: Model) -> bool:
    """Return whether a model's vectors are ``{token: weight}``. A remote one may tell in its ``model_type``."""
    kind = model.model_config.model_type if model.model_config else None
    return model.algorithm in SPARSE or (
        model.algorithm == FunctionName.REMOTE and str(kind).upper() in {str(one) for one in SPARSE}
    )


def is_asymmetric(model: Model) -> bool:
    """Return whether a model embeds what is searched for otherwise than documents."""
    config = model.model_config
    return config is not None and bool(config.query_prefix or config.passage_prefix)


def dimension_of(model: Model) -> int | None:
    """Return the length of a dense model's vectors, if its configuration names it."""
    return model.model_config.embedding_dimension if model.model_config else None


def space_named(model: Model) -> str | None:
    """Return the space that a model's configuration names, from which the server takes that of semantic fields."""
    config = model.model_config
    named = (config.additional_config or {}).get("space_type") if config else None
    return named if isinstance(named, str) else None


def spaces_of(model: Model) -> tuple[str, ...]:
    """Return the spaces that rank a model's vectors as it was trained for, the best first; none if it does not tell.

    The space that its configuration names counts first, then whether the server makes its vectors of length 1
    (``normalize_result``), then its name.
    """
    if (named := space_named(model)) is not None:
        return (named,)
    if model.model_config is not None and model.model_config.normalize_result:
        return OF_UNIT_VECTORS
    return OF_UNIT_VECTORS[:1] if _FOR_DOT_PRODUCTS.search(model.name or "") else ()
