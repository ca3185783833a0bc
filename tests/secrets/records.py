"""Requests and records with credentials in them: connectors, agents, models, tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aiomlcommons import Backoff, RemoteModel, Request, Secret, Session, connectors
from aiomlcommons.api.agents import AgentModelSpec, LLMSpec, RegisterAgent, ToolSpec, UpdateAgent
from aiomlcommons.api.config import IngestBatch
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector, UpdateConnector
from aiomlcommons.api.mcp import CallMcp, McpTool, RegisterMcpTools
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.predict import PredictByModel
from aiomlcommons.api.tools import ExecuteTool
from aiomlcommons.emulator import Emulator
from aiomlcommons.wire.codec import to_http
from tests.secrets.canaries import Canaries, Outputs
from tests.secrets.servers import SERVERS

NOW = Backoff(first=0)
AT = (
    "401",
    "500",
    "200, another type",
    "refused",
    "closes",
    "quotes in a 400",
    "quotes in a text 500",
    "quotes in a 200",
)


async def requests_with_credentials(outputs: Outputs, folder: Path) -> None:
    """Print each request, and send it to servers that refuse or quote it."""
    for name, make in outputs.some(_requests(outputs.canaries).items()):
        request = make()
        outputs.show(name, request)
        outputs.show(name, to_http(request))
        for where in AT:
            async with SERVERS[where]() as url, Session(url, retries=0, compat=_compat(request)) as ml:
                for call in (ml.send, ml.raw):
                    await _searched(outputs, f"{name}, {where}", call(request))


async def connectors_in_a_cluster(outputs: Outputs, folder: Path) -> None:
    """Create connectors and remote models in a cluster, and print what it says of them."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        outputs.show("emulator", emulator)
        await ml.settings.put(persistent={"plugins.ml_commons.trusted_connector_endpoints_regex": [".*"]})
        for name, connector in outputs.some(_builders(outputs.canaries)):
            made = await ml.send(connector)
            outputs.show(name, made)
            outputs.show(name, await ml.connectors.get(made.connector_id))
            outputs.show(name, await ml.raw(connector))
            spec = RemoteModel(name=name, connector=connector)
            outputs.show(name, spec)
            await _searched(outputs, name, ml.models.ensure(spec, backoff=NOW))
            emulator.faults.fail(500, on=RegisterModel, times=1)
            another = RemoteModel(name=f"{name} 2", connector=connector)
            await _searched(outputs, name, ml.models.ensure(another, backoff=NOW))
        outputs.show("search", await ml.connectors.search())
        outputs.show("search", await ml.models.search())


async def requests_of_wrong_types(outputs: Outputs, folder: Path) -> None:
    """Give credentials of wrong types, which are refused before anything is sent."""
    plant = outputs.canaries.plant
    for name, credential in _wrong(plant("a credential of a wrong type")).items():
        for number, make in enumerate([*_with(credential, "credential"), *_with(credential, "headers")]):
            await _searched(outputs, f"{name} {number}", _encoded(make))
    for name, build in _wrong_builders(plant("a key of a builder that is wrong"), plant("a URL of a builder")).items():
        await _searched(outputs, name, _encoded(build))


def _with(credential: Any, field: str) -> list[Callable[[], Request[Any]]]:
    """Return requests with a credential in some field."""
    given: Any = {field: credential}
    model: Any = {"model_id": "m", "model_provider": "p", "credential": credential}
    whole: Any = {"name": "c", "version": [], "protocol": "http", **given}
    half: Any = {"name": "c", **given}
    return [
        lambda: CreateConnector("c", version=1, protocol="http", **given),
        lambda: UpdateConnector("c", **given),
        lambda: RegisterModel("m", function_name="remote", connector=whole),
        lambda: RegisterModel("m", function_name="remote", connector=half),
        lambda: RegisterAgent("a", "flow", model=AgentModelSpec("m", "openai", credential=credential)),
        lambda: RegisterAgent("a", "flow", model=model),
        lambda: RegisterAgent("a", "flow", parameters={"api_key": credential, "x": {1}}),
    ]


def _compat(request: Request[Any]) -> str:
    return "2.19" if isinstance(request, IngestBatch) else "3.9"


async def _encoded(make: Callable[[], Request[Any]]) -> Any:
    return to_http(make())


async def _searched(outputs: Outputs, where: str, doing: Awaitable[Any]) -> None:
    try:
        outputs.show(where, await doing)
    except Exception as error:
        outputs.error(where, error)


def _requests(canaries: Canaries) -> Mapping[str, Callable[[], Request[Any]]]:
    plant = canaries.plant
    action = ConnectorAction(
        "predict",
        "POST",
        f"https://h/v1?key={plant('query of an action')}&dimensions=5",
        headers={
            "Authorization": f"Bearer {plant('headers of an action')}",
            "x": "${credential.key}",
            "x-own": plant("headers of an action: x-own"),
        },
    )
    credential: dict[str, str | Secret] = {
        "key": plant("CreateConnector(credential=)"),
        "secret": Secret(plant("credential=, a Secret")),
    }
    fields: dict[str, Any] = {"version": 1, "protocol": "mcp_sse", "url": "https://h"}
    keys = {"api_key": plant("parameters: api_key"), "deep": [{"session_token": plant("parameters: session_token")}]}
    model = AgentModelSpec("m", "openai", credential={"k": plant("AgentModelSpec(credential=)")})
    tool = ToolSpec("WebSearchTool", parameters={"google_api_key": plant("ToolSpec: google_api_key")})
    own = ToolSpec("T", config={"headers": {"x-api-key": plant("ToolSpec: config")}, "password": plant("ToolSpec: pw")})
    mcp = McpTool("T", parameters={"token": plant("McpTool(parameters=)")}, attributes={"secret": plant("attributes")})
    update = plant("UpdateConnector(credential=)")
    return {
        "CreateConnector": lambda: CreateConnector("c", credential=credential, actions=[action], **fields),
        "headers=": lambda: CreateConnector("c", headers={"x": plant("CreateConnector(headers=)")}, **fields),
        "parameters=": lambda: CreateConnector("c", parameters=keys, **fields),
        "UpdateConnector": lambda: UpdateConnector("c", credential={"k": update}, parameters=keys),
        "RegisterModel": lambda: RegisterModel(
            "m", function_name="remote", connector=CreateConnector("c", credential=credential, **fields)
        ),
        "RegisterAgent": lambda: RegisterAgent("a", "flow", model=model, tools=[tool, own], parameters=keys),
        "LLMSpec": lambda: RegisterAgent("a", "flow", llm=LLMSpec("m", parameters=keys)),
        "UpdateAgent": lambda: UpdateAgent("a", llm={"parameters": keys}, parameters=keys),
        "IngestBatch": lambda: IngestBatch(
            "i", field_map={}, data_source={"type": "s3"}, credential={"access_key": plant("IngestBatch(credential=)")}
        ),
        "RegisterMcpTools": lambda: RegisterMcpTools([mcp]),
        "CallMcp": lambda: CallMcp("tools/call", {"arguments": {"api_key": plant("CallMcp(params=)")}}),
        "ExecuteTool": lambda: ExecuteTool("T", parameters=keys),
        "predict": lambda: PredictByModel("m", parameters=keys),
    }


def _builders(canaries: Canaries) -> Iterator[tuple[str, CreateConnector]]:
    plant = canaries.plant
    simple: list[Callable[[str, Any], CreateConnector]] = [
        connectors.openai_embeddings,
        connectors.openai_agent,
        connectors.openai_chat,
        connectors.cohere_embeddings,
        connectors.cohere_rerank,
        connectors.gemini_generate_content,
    ]
    for build in simple:
        yield build.__name__, build("m", plant(f"{build.__name__}(api_key=)"))
        yield f"{build.__name__} Secret", build("m", Secret(plant(f"{build.__name__}(api_key=), a Secret")))
    own: dict[str, str | Secret] = {
        "X-Secret": Secret(plant("http_embeddings(headers=), a Secret")),
        "x-api-key": plant("http_embeddings: text"),
    }
    url = f"https://h/embed?api_key={plant('http_embeddings(url=), the query')}"
    yield "http", connectors.http_embeddings(url, api_key=plant("http_embeddings(api_key=)"), headers=own)
    aws: list[Callable[..., CreateConnector]] = [
        connectors.bedrock_titan_embeddings,
        connectors.bedrock_converse,
        connectors.sagemaker_embeddings,
    ]
    for build in aws:
        keys = {name: plant(f"{build.__name__}({name}=)") for name in ("access_key", "secret_key", "session_token")}
        yield build.__name__, build("us-east-1", "m", **keys)
        role = Secret(f"arn:aws:iam::1:role/{plant(f'{build.__name__}(roleArn=)')}")
        yield f"{build.__name__} role", build("us-east-1", "m", roleArn=role)


def _wrong(secret: str) -> Mapping[str, Any]:
    return {
        "text": secret,
        "bytes": secret.encode(),
        "list": [secret],
        "nested": {"key": [secret]},
        "bytes in it": {"key": secret.encode()},
        "a name with a space": {"my key": {"deep": secret}},
        "a set": {"key": {secret}},
        "surrogate": {"key": f"{secret}\ud800"},
        "a Secret": Secret(secret),
    }


def _wrong_builders(key: str, word: str) -> Mapping[str, Callable[[], CreateConnector]]:
    wrong: Any = key.encode()
    urls = [
        f"https://u:{word}@h",
        f"ftp://u:{word}@h",
        f"ftp://h?key={word}",
        f"https://h/a b?key={word}",
        f"u:{word}@h",
    ]
    return {
        "line end": lambda: connectors.openai_embeddings("m", f"{key}\n"),
        "bytes": lambda: connectors.openai_embeddings("m", wrong),
        "half": lambda: connectors.bedrock_converse("us-east-1", "m", access_key=key),
        "both": lambda: connectors.bedrock_converse("us-east-1", "m", access_key=key, roleArn=key),
        "headers": lambda: connectors.http_embeddings("https://h", headers={"authorization": key}, api_key=key),
        "parameters": lambda: connectors.openai_chat("m", key, parameters={"model": key}),
        "no value": lambda: connectors.openai_chat("m", key, parameters={key[:1]: None}),
        **{f"url {number}": partial(connectors.http_embeddings, url) for number, url in enumerate(urls)},
    }
