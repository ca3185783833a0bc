"""What each decoder of models' answers is given, and what it must do with it: a function makes one input."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from random import Random

import numpy as np

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.http import HttpResponse
from aiomlcommons.inference import predictions, vectors
from tests.fuzzing import answers
from tests.fuzzing.check import Difference
from tests.fuzzing.other_decoders import OTHERS
from tests.fuzzing.plain import Refused, plain_embeddings

Fuzz = Callable[[Random], None]
CONTEXT = "A soft answer turneth away wrath \U0001f600 but grievous words stir up anger."


def check_embeddings(got: HttpResponse, count: int) -> None:
    """Hold the decoder of embeddings to the slow way."""
    try:
        array = vectors.embeddings(got, count)
    except MLCommonsError:
        array = None
    try:
        kind, rows = plain_embeddings(got, count)
    except Refused as why:
        if array is not None:
            raise Difference(f"the slow way refuses it ({why}), and got {array!r}") from None
        return
    if array is None:
        raise Difference(f"refused, and the slow way finds {kind} {rows}")
    if not count:
        return
    wanted = np.array(rows, {"e": "f2", "?": "?"}.get(code := answers.STRUCTS[kind], code))
    # Bytes of a boolean that are neither 0 nor 1 are true.
    if array.dtype != wanted.dtype or array.shape != wanted.shape or not (array.astype(wanted.dtype) == wanted).all():
        raise Difference(f"{array!r} is not {wanted!r}")
    if not (array.flags.c_contiguous and array.flags.writeable and array.flags.aligned):
        raise Difference(f"the array is not the caller's own: {array.flags}")


def embeddings(random: Random) -> None:
    made = answers.embeddings(random)
    check_embeddings(answers.response(random, made), made.count)


def memory(random: Random) -> None:
    """Decode embeddings in memory that the size of the answer bounds."""
    made = answers.embeddings(random)
    got = answers.response(random, made)
    tracemalloc.start()
    try:
        vectors.embeddings(got, made.count)
    except MLCommonsError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if peak > 1_000_000 + 120 * len(got.body):
        raise Difference(f"{peak:,} bytes of memory for {len(got.body):,} of the answer")


def sparse(random: Random) -> None:
    made = answers.sparse(random)
    got = answers.response(random, made)
    try:
        found = predictions.sparse_vectors(got, made.count)
    except MLCommonsError:
        return
    for weights in found:
        if not all(type(weight) in {int, float} and abs(weight) < float("inf") for weight in weights.values()):
            raise Difference(f"{weights} are no weights")


def scores(random: Random) -> None:
    made = answers.scores(random)
    try:
        found = predictions.scores(answers.response(random, made), made.count)
    except MLCommonsError:
        return
    if found.shape != (made.count,) or found.dtype != np.float32 or not np.isfinite(found).all():
        raise Difference(f"{found!r} are no scores")


def texts(random: Random) -> None:
    made = answers.texts(random)
    got = answers.response(random, made)
    try:
        if not isinstance(predictions.answer(got), str):
            raise Difference("the answer is no text")
    except MLCommonsError:
        pass
    try:
        for span in predictions.highlights(got, CONTEXT):
            if not 0 <= span.start <= span.end <= len(CONTEXT):
                raise Difference(f"{span} is not in the context")
    except MLCommonsError:
        pass


DECODERS: Mapping[str, Fuzz] = {
    "embeddings": embeddings,
    "memory": memory,
    "sparse": sparse,
    "scores": scores,
    "texts": texts,
    **OTHERS,
}
