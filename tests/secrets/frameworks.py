"""Components of frameworks with credentials: what they show and store, and their errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline
from haystack.utils import Secret
from langchain_core.documents import Document as Passage
from langchain_core.load import dumps
from llama_index.core.schema import NodeWithScore, TextNode

from aiomlcommons.integrations.haystack import MLCommonsDocumentEmbedder, MLCommonsRanker
from aiomlcommons.integrations.langchain import MLCommonsEmbeddings
from aiomlcommons.integrations.langchain import MLCommonsRerank as RerankOfLangChain
from aiomlcommons.integrations.llama_index import MLCommonsEmbedding, MLCommonsRerank, MLCommonsSparseEmbedding
from tests.secrets.canaries import Canaries, Outputs
from tests.secrets.servers import SERVERS

AT = ("401", "refused", "quotes in a 400", "quotes in a text 500")
LIMITS = {"retries": 0, "timeout": 5, "wait": 0}


async def components_with_credentials(outputs: Outputs, folder: Path) -> None:
    """Make each component with a credential in each place, show and store it, and let it call a failing server."""
    for where, name in outputs.some(product(AT, _COMPONENTS)):
        async with SERVERS[where]() as url:
            for way, options in _ways(outputs.canaries, url):
                await _component(outputs, f"{name}, {way}, {where}", name, options)


async def _component(outputs: Outputs, where: str, name: str, options: Mapping[str, Any]) -> None:
    make, call = _COMPONENTS[name]
    try:
        component = make(options)
        outputs.show(where, component)
        _store(outputs, where, component)
        try:
            await call(component)
        finally:
            await (component.close_async if hasattr(component, "close_async") else component.aclose)()
    except Exception as error:
        outputs.error(where, error)


def _store(outputs: Outputs, where: str, component: Any) -> None:
    try:
        outputs.add("stored components", where, _stored(component))
    except Exception as error:
        outputs.error(where, error)


def _stored(component: Any) -> str:
    if hasattr(component, "__haystack_input__"):
        pipeline = Pipeline()
        pipeline.add_component("it", component)
        return pipeline.dumps()
    return str(component.model_dump_json()) if hasattr(component, "to_payload") else dumps(component)


def _ways(canaries: Canaries, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    plant = canaries.plant
    password = plant("password in the url of a component")
    yield "url", {"url": url.replace("://", f"://me:{password}@"), "session": LIMITS}
    yield "auth", {"url": url, "session": {"auth": ("me", plant("auth of a component")), **LIMITS}}
    headers = {"authorization": f"Bearer {plant('header of a component')}", "x-own": plant("own header of a component")}
    yield "headers", {"url": url, "session": {"headers": headers, **LIMITS}}
    proxy = f"http://me:{plant('proxy of a component')}@127.0.0.1:1"
    yield "proxy", {"url": url, "session": {"proxy": proxy, **LIMITS}}
    yield "unknown", {"url": url, "session": {"pasword": plant("unknown option of a component")}}


def _haystack(kind: Callable[..., Any], *, secret: bool = False) -> Callable[[Mapping[str, Any]], Any]:
    def make(options: Mapping[str, Any]) -> Any:
        session = dict(options["session"])
        auth = session.pop("auth", None)
        pair = (auth[0], Secret.from_token(auth[1])) if secret and auth else auth
        return kind("m", options["url"], session=session, auth=pair)

    return make


_COMPONENTS: Mapping[str, tuple[Callable[[Mapping[str, Any]], Any], Callable[[Any], Awaitable[Any]]]] = {
    "LangChain, embeddings": (lambda given: MLCommonsEmbeddings("m", **given), lambda it: it.aembed_query("a")),
    "LangChain, rerank": (
        lambda given: RerankOfLangChain(model="m", **given),
        lambda it: it.acompress_documents([Passage("a")], "a"),
    ),
    "Haystack, embedder": (_haystack(MLCommonsDocumentEmbedder), lambda it: it.run_async([Document(content="a")])),
    "Haystack, ranker": (
        _haystack(MLCommonsRanker, secret=True),
        lambda it: it.run_async("a", [Document(content="a")]),
    ),
    "LlamaIndex, embedding": (lambda given: MLCommonsEmbedding("m", **given), lambda it: it.aget_query_embedding("a")),
    "LlamaIndex, sparse": (
        lambda given: MLCommonsSparseEmbedding("m", **given),
        lambda it: it.aget_query_embedding("a"),
    ),
    "LlamaIndex, rerank": (
        lambda given: MLCommonsRerank("m", **given),
        lambda it: it.apostprocess_nodes([NodeWithScore(node=TextNode(text="a"))], query_str="a"),
    ),
}
