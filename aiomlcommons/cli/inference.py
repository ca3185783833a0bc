"""``aiomlcommons embed | rerank | predict``: try a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import numpy as np
import orjson

from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import PredictByModel
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.models import existing
from aiomlcommons.cli.tables import print_json
from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.session import Session
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.wire import convert

# What is shown of a vector, of token weights, and of a text.
_NUMBERS, _TOKENS, _CHARACTERS = 4, 6, 60
_SPARSE = {"SPARSE_ENCODING", "SPARSE_TOKENIZE"}
_VERBS = {"embed": {"TEXT_EMBEDDING", *_SPARSE}, "rerank": {"TEXT_SIMILARITY"}}


async def embed(options: argparse.Namespace) -> None:
    """Embed texts, and show what comes of each; --json and --out give all numbers."""
    if options.out is not None and Path(options.out).suffix != ".npy":
        raise UsageError(f"--out must name a .npy file, not {options.out!r}")
    texts = await _texts(options)
    async with cluster(options) as ml:
        model_id = await _model(ml, options)
        if (function := _function(await ml.models.get(model_id))) in _SPARSE:
            _show_weights(options, texts, await ml.sparse(model_id, texts))
            return
        _check(function, "embed", options.model)
        vectors = await ml.embed_many(model_id, texts, content_type=options.content_type)
    if options.out is not None:
        await anyio.to_thread.run_sync(np.save, options.out, vectors)
        shape = {"out": options.out, "texts": len(texts), "dimension": vectors.shape[1]}
        print_json(shape) if options.json else print(f"{options.out}: {vectors.shape[0]} x {vectors.shape[1]}")
    elif options.json:
        print_json([{"text": text, "embedding": vector} for text, vector in zip(texts, vectors, strict=True)])
    else:
        for text, vector in zip(texts, vectors, strict=True):
            first = ", ".join(f"{number:.4g}" for number in vector[:_NUMBERS])
            print(f"{len(vector)} numbers [{first}{', ...' if len(vector) > _NUMBERS else ''}]  {_short(text)}")


async def _model(ml: Session, options: argparse.Namespace) -> str:
    # That of --emulator begins without any model.
    return await existing(ml, options.model, ensure=options.emulator)


def _function(model: Model) -> str:
    return str(model.algorithm or model.function_name or "").upper()


def _check(function: str, verb: str, name: str) -> None:
    """Raise MLCommonsError if a local model does something else than a verb needs, which servers say in Java."""
    if function not in {"", "REMOTE", *_VERBS[verb]}:
        other = next((known for known, of in _VERBS.items() if function in of), "predict")
        raise MLCommonsError(f"{name} is a model of the kind {function}: try it by `aiomlcommons {other}`, not {verb}")


def _show_weights(options: argparse.Namespace, texts: Sequence[str], weights: Sequence[Mapping[str, float]]) -> None:
    if options.out is not None:
        raise UsageError("a sparse model gives weights of tokens, which no .npy file holds: drop --out, or pass --json")
    if options.json:
        print_json([{"text": text, "tokens": found} for text, found in zip(texts, weights, strict=True)])
        return
    for text, found in zip(texts, weights, strict=True):
        heaviest = sorted(found.items(), key=lambda pair: -pair[1])[:_TOKENS]
        shown = ", ".join(f"{token} {weight:.3g}" for token, weight in heaviest)
        print(f"{len(found)} tokens [{shown}{', ...' if len(found) > _TOKENS else ''}]  {_short(text)}")


async def rerank(options: argparse.Namespace) -> None:
    """Score texts by how well they answer a query, the best first."""
    texts = await _texts(options)
    async with cluster(options) as ml:
        model_id = await _model(ml, options)
        _check(_function(await ml.models.get(model_id)), "rerank", options.model)
        scores = await ml.rerank(model_id, options.query, texts)
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    if options.json:
        print_json([{"index": place, "score": float(scores[place]), "text": texts[place]} for place in order])
        return
    for place in order:
        print(f"{scores[place]:>10.4f}  {_short(texts[place])}")


async def predict(options: argparse.Namespace) -> None:
    """Send an input as it is, and print the response."""
    request = convert_input(await anyio.to_thread.run_sync(_input, options.input))
    async with cluster(options) as ml:
        response = await ml.raw(request(await _model(ml, options)))
    print_json(response.json())


def convert_input(body: Any) -> Any:
    """Return what makes a request of a model's id. Raises UsageError, naming the field, if the body is none."""
    if not isinstance(body, Mapping):
        raise UsageError('the input must be a JSON object, such as \'{"text_docs": ["a text"]}\'')
    known = [wire_name(field) for field in fields_of(PredictByModel) if field.name != "model_id"]
    for name in body:
        if name not in known:
            near = did_you_mean(str(name), known, f"there are {', '.join(known)}")
            raise UsageError(f"the input has the unknown key {name!r}; {near}")
    try:
        convert.structure({"model_id": "-", **body}, PredictByModel)
    except convert.Unreadable as error:
        raise UsageError(f"the input is not that of a model: {error}") from None
    return lambda model_id: convert.structure({**body, "model_id": model_id}, PredictByModel)


def _input(word: str) -> Any:
    """Return the body of a request: JSON, or that of a file or standard input. It blocks."""
    if word == "-":
        data: str | bytes = sys.stdin.buffer.read()
    elif word.startswith("@"):
        data = Path(word[1:]).read_bytes()
    else:
        data = word
    try:
        return orjson.loads(data)
    except ValueError as error:
        raise UsageError(f"the input is not JSON: {error}; a file is named by @FILE") from None


async def _texts(options: argparse.Namespace) -> list[str]:
    if options.texts:
        return list(options.texts)
    if sys.stdin.isatty():
        raise UsageError("there is no TEXT: give some, or pipe lines to standard input")
    texts = [line.rstrip("\n") for line in await anyio.to_thread.run_sync(sys.stdin.readlines)]
    if not (found := [text for text in texts if text.strip()]):
        raise UsageError("there is no TEXT, and standard input has no line")
    return found


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _CHARACTERS else f"{words[: _CHARACTERS - 3]}..."
