"""Sparse vectors by the ids of their tokens, as frameworks keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiomlcommons.errors import NotSupported
from aiomlcommons.integrations._models import Call, weights

if TYPE_CHECKING:
    from aiomlcommons.integrations._models import How, Weights
    from aiomlcommons.lifecycle.ensured import EnsuredModel
    from aiomlcommons.session import Session


def weights_by_id(texts: Sequence[str]) -> Call[list[dict[int, float]]]:
    """Describe a call for sparse vectors: the weight of each token by its id, in the order of the ids.

    Raises NotSupported if the model tells the tokens only, and not their ids.
    """
    asked = weights(texts, "TOKEN_ID")

    async def call(ml: Session, model: EnsuredModel, how: How) -> list[dict[int, float]]:
        return [_by_id(one, model) for one in await asked(ml, model, how)]

    return call


def _by_id(tokens: Weights, model: str) -> dict[int, float]:
    try:
        return dict(sorted((int(token), weight) for token, weight in tokens.items()))
    except ValueError:
        word = next(token for token in tokens if not token.isdecimal())
        raise NotSupported(
            f"the model {model} names tokens, such as {word!r}, and not their ids, which sparse vectors of this "
            "framework consist of: remote models and older clusters take no sparse_embedding_format"
        ) from None
