"""Ask the emulator and a real server the same: ``python -m tests.opensearch.same_ids URL``.

The real server has neural-search and k-NN; it gets the tiny models, and the emulator's remote models ask these, so that
texts have the same vectors and weights on both. The same pipelines write the same corpus; then the hits of each query
must have the same ids in the same order, and scores that differ by rounding only. All that was made is removed.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import attrs

from aiomlcommons import Session, emulator
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.emulator.index import alter
from aiomlcommons.wire import convert
from tests.support.contract.kinds import KINDS, forget, spec_of
from tests.support.model_relay import relay
from tests.support.opensearch.same_answers import Models, Side, queries
from tests.support.paths import MODELS

# Scores by their difference to a mean may be near zero, where rounding weighs more.
TOLERANCE, NOISE = 1e-4, 1e-5
NAME = "same ids"
SPACE = {"space_type": "cosinesimil"}
SETTINGS = {
    "only_run_on_ml_node": False,
    "connector.private_ip_enabled": True,
    "trusted_connector_endpoints_regex": [".*"],
}
OF_TEXTS = ('{ "input": ${parameters.input} }', "default.embedding")
OF_PAIRS = ('{ "query_text": "${parameters.query_text}", "text_docs": ${parameters.text_docs} }', "default.rerank")


async def main(url: str, **options: Any) -> int:
    """Print what differs, and how many queries have the same hits; return 1 if any differs.

    ``options`` are those of the session on the server.
    """
    async with AsyncExitStack() as stack:
        ml = await stack.enter_async_context(Session(url, **options))
        real = await stack.enter_async_context(_real(ml))
        provider = await stack.enter_async_context(relay(ml))
        emulated = await stack.enter_async_context(_emulated(provider, real.models))
        for side in (real, emulated):
            await side.set_up()
        return await _compare(real, emulated)


@asynccontextmanager
async def _real(ml: Session) -> AsyncGenerator[Side]:
    """Yield the real server with the tiny models deployed; what was made there is removed afterwards."""
    ids = {kind: await _deployed(ml, kind) for kind in KINDS}
    side = Side(ml, Models(ids["dense"], ids["sparse"], ids["tokenizer"], ids["cross-encoder"]))
    try:
        yield side
    finally:
        await side.tear_down()
        for kind in KINDS:
            await forget(ml, f"{NAME} {kind}")


async def _deployed(ml: Session, kind: str) -> str:
    spec = spec_of(kind, MODELS / KINDS[kind].file, f"{NAME} {kind}")
    if spec.model_config is not None and kind == "dense":
        spec = attrs.evolve(spec, model_config=alter(spec.model_config, additional_config=SPACE))
    return (await ml.models.ensure(spec)).model_id


@asynccontextmanager
async def _emulated(provider: str, models: Models) -> AsyncGenerator[Side]:
    """Yield an emulator whose remote models ask those of the real server."""
    emulated = emulator.Emulator(emulator.Cluster(version="3.8.0"))
    async with emulated.serve() as url, Session(url) as ml:
        settings = {f"plugins.ml_commons.{name}": value for name, value in SETTINGS.items()}
        await ml.request("PUT", "/_cluster/settings", body={"persistent": settings})
        dense = ModelConfig(
            model_type="TEXT_EMBEDDING",
            embedding_dimension=16,
            framework_type="sentence_transformers",
            additional_config=SPACE,
        )
        sparse = ModelConfig(model_type="SPARSE_ENCODING", framework_type="sentence_transformers")
        ids = Models(
            await _remote(ml, f"{provider}/dense/{models.dense}", OF_TEXTS, dense),
            await _remote(ml, f"{provider}/sparse_encoding/{models.sparse}", OF_TEXTS, sparse, processes=False),
            await _remote(ml, f"{provider}/sparse_tokenize/{models.tokenizer}", OF_TEXTS, sparse, processes=False),
            await _remote(ml, f"{provider}/scores/{models.cross_encoder}", OF_PAIRS, None),
        )
        yield Side(ml, ids)


async def _remote(
    ml: Session, url: str, form: tuple[str, str], config: ModelConfig | None, *, processes: bool = True
) -> str:
    """Return a remote model whose connector asks a URL; without ``processes`` its answer is taken as it is."""
    request_body, function = form
    action = {
        "action_type": "predict",
        "method": "POST",
        "url": url,
        "request_body": request_body,
        "pre_process_function": f"connector.pre_process.{function}",
        **({"post_process_function": f"connector.post_process.{function}"} if processes else {}),
    }
    connector = {"name": url, "version": "1", "protocol": "http", "credential": {"k": "v"}, "actions": [action]}
    body: dict[str, Any] = {"name": url, "function_name": "remote", "connector": connector}
    if config is not None:
        body["model_config"] = convert.unstructure(config)
    answer = await ml.request("POST", "/_plugins/_ml/models/_register?deploy=true", body=body)
    return str(answer.json()["model_id"])


async def _compare(real: Side, emulated: Side) -> int:
    same = different = 0
    for (name, path, body), (_, _, other) in zip(queries(real.models), queries(emulated.models), strict=True):
        was, now = await real.call("POST", path, body), await emulated.call("POST", path, other)
        if found := _difference(was["hits"], now["hits"]):
            different += 1
            print(f"DIFFERS {name}\n        {found}")
        else:
            same += 1
    print(f"queries with the same ids, order and scores: {same}, different: {different}")
    return 1 if different else 0


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    ids = [[hit["_id"] for hit in hits["hits"]] for hits in (was, now)]
    if ids[0] != ids[1]:
        return f"the server has {_shown(was)}\n        the emulator {_shown(now)}"
    if was["total"] != now["total"]:
        return f"total: the server has {was['total']}, the emulator {now['total']}"
    for first, second in zip(was["hits"], now["hits"], strict=True):
        if not math.isclose(first["_score"], second["_score"], rel_tol=TOLERANCE, abs_tol=NOISE):
            return f"score of {first['_id']}: the server has {first['_score']}, the emulator {second['_score']}"
    return None


def _shown(hits: Mapping[str, Any]) -> str:
    return " ".join(f"{hit['_id'].removeprefix('proverbs-')} ({hit['_score']:.6g})" for hit in hits["hits"])


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
