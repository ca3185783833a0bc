"""Connectors: the requests that providers receive, validation, and end to end over sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import attrs
import numpy as np
import orjson
import pytest
import pytest_asyncio

from aiomlcommons import Backoff, InvalidRequest, Secret, Session, connectors, emulator
from aiomlcommons.api.connectors import ClientConfig, CreateConnector
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tensors import MapTensor
from aiomlcommons.emulator.connectors.templates import fill
from aiomlcommons.wire.codec import to_http
from tests.support import model_server
from tests.support.recording_server import reply, serve

KEY = "sk-not-a-real-key"
NOW = Backoff(first=0)
LOOPBACK = MLSettings(
    connector_private_ip_enabled=True, trusted_connector_endpoints_regex=["^http://127[.]0[.]0[.]1:.*$"]
)
MESSAGES = [{"role": "user", "content": "Hello!"}]
HELPFUL = {"role": "system", "content": "You are a helpful assistant."}
HI = {"role": "user", "content": 'say "hi"'}
CONTENTS = [{"role": "user", "parts": [{"text": "Hello!"}]}]
TYPED = {"content-type": "application/json"}
HASHED = {**TYPED, "x-amz-content-sha256": "required"}


@attrs.frozen
class Call:
    """The request that a provider receives, and the server's functions before and after it."""

    url: str
    headers: Mapping[str, str]
    body: Any
    functions: tuple[str | None, str | None] = (None, None)
    structured: bool | None = None


def call(connector: CreateConnector, **given: Any) -> Call:
    """Fill in a connector's placeholders with the parameters of a prediction, as the server does."""
    wire = orjson.loads(to_http(connector).body or b"")
    (action,) = wire["actions"]
    assert (action["action_type"], action["method"]) == ("predict", "POST")
    values = {"parameters": {**wire["parameters"], **given}, "credential": wire["credential"]}
    as_is = given.get("no_escape_params", "").split(",")
    before, after = action.get("pre_process_function"), action.get("post_process_function")
    return Call(
        fill(action["url"], values),
        {name: fill(value, values) for name, value in action["headers"].items()},
        orjson.loads(fill(action["request_body"], values, in_json=True, as_is=as_is)),
        (
            before and before.removeprefix("connector.pre_process."),
            after and after.removeprefix("connector.post_process."),
        ),
        action.get("supports_structured_output"),
    )


BEARER = {"Authorization": f"Bearer {KEY}"}
COHERE = {**BEARER, "Request-Source": "unspecified:opensearch"}
BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
AWS: Mapping[str, Any] = {"access_key": KEY, "secret_key": "s"}
CALLS: Mapping[str, tuple[CreateConnector, Mapping[str, Any], Call]] = {
    "openai embeddings": (
        connectors.openai_embeddings("text-embedding-ada-002", KEY),
        {"input": ["a", "b"]},
        Call(
            "https://api.openai.com/v1/embeddings",
            BEARER,
            {"input": ["a", "b"], "model": "text-embedding-ada-002"},
            ("openai.embedding", "openai.embedding"),
        ),
    ),
    "openai embeddings of another size": (
        connectors.openai_embeddings("text-embedding-3-small", KEY, parameters={"dimensions": 512, "user": "u"}),
        {"input": ["a"]},
        Call(
            "https://api.openai.com/v1/embeddings",
            BEARER,
            {"input": ["a"], "model": "text-embedding-3-small", "dimensions": 512, "user": "u"},
            ("openai.embedding", "openai.embedding"),
        ),
    ),
    "openai chat": (
        connectors.openai_chat("gpt-4o-mini", KEY),
        {"messages": MESSAGES},
        Call("https://api.openai.com/v1/chat/completions", BEARER, {"model": "gpt-4o-mini", "messages": MESSAGES}),
    ),
    "a chat elsewhere": (
        connectors.openai_chat("m", KEY, endpoint="http://gpu:8000/", parameters={"temperature": 0.2, "stop": ["."]}),
        {"messages": MESSAGES},
        Call(
            "http://gpu:8000/v1/chat/completions",
            BEARER,
            {"model": "m", "messages": MESSAGES, "temperature": 0.2, "stop": ["."]},
        ),
    ),
    "a prediction's own parameter": (
        connectors.openai_chat("m", KEY, parameters={"temperature": 0.2}),
        {"messages": MESSAGES, "temperature": 0.9},
        Call(
            "https://api.openai.com/v1/chat/completions",
            BEARER,
            {"model": "m", "messages": MESSAGES, "temperature": 0.9},
        ),
    ),
    "openai for agents, asked without one": (
        connectors.openai_agent("gpt-4o-mini", KEY),
        {"prompt": 'say "hi"'},
        Call("https://api.openai.com/v1/chat/completions", BEARER, {"model": "gpt-4o-mini", "messages": [HELPFUL, HI]}),
    ),
    "openai for agents, asked by one": (
        connectors.openai_agent("m", KEY, parameters={"temperature": 0.2}, endpoint="http://gpu:8000"),
        {
            "system_prompt": "Be brief.",
            "_chat_history": '{"role":"user","content":"a"}, {"role":"assistant","content":"b"}, ',
            "prompt": 'say "hi"',
            "_interactions": ', {"role":"tool","content":"c"}',
            "tool_configs": ', "tools": [{"type":"function"}]',
            "no_escape_params": "_chat_history,_interactions,tool_configs",
        },
        Call(
            "http://gpu:8000/v1/chat/completions",
            BEARER,
            {
                "model": "m",
                "temperature": 0.2,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                    HI,
                    {"role": "tool", "content": "c"},
                ],
                "tools": [{"type": "function"}],
            },
        ),
    ),
    "cohere embeddings": (
        connectors.cohere_embeddings("embed-english-v3.0", KEY),
        {"texts": ["a", "b"]},
        Call(
            "https://api.cohere.ai/v1/embed",
            COHERE,
            {"texts": ["a", "b"], "truncate": "END", "model": "embed-english-v3.0", "input_type": "search_document"},
            ("cohere.embedding", "cohere.embedding"),
        ),
    ),
    "cohere embeddings of an old model": (
        connectors.cohere_embeddings("embed-english-v2.0", KEY, input_type=None, truncate="NONE"),
        {"texts": ["a"]},
        Call(
            "https://api.cohere.ai/v1/embed",
            COHERE,
            {"texts": ["a"], "truncate": "NONE", "model": "embed-english-v2.0"},
            ("cohere.embedding", "cohere.embedding"),
        ),
    ),
    "cohere embeddings, v2": (
        connectors.cohere_embeddings("embed-v4.0", KEY, api="v2", embedding_type="int8", input_type="search_query"),
        {"texts": ["a"]},
        Call(
            "https://api.cohere.ai/v2/embed",
            COHERE,
            {
                "texts": ["a"],
                "truncate": "END",
                "model": "embed-v4.0",
                "embedding_types": ["int8"],
                "input_type": "search_query",
            },
            ("cohere.embedding", "cohere_v2.embedding.int8"),
        ),
    ),
    "cohere rerank": (
        connectors.cohere_rerank("rerank-english-v3.0", KEY),
        {"query": "q", "documents": ["a", "b"], "top_n": 2},
        Call(
            "https://api.cohere.ai/v1/rerank",
            BEARER,
            {"query": "q", "documents": ["a", "b"], "top_n": 2, "model": "rerank-english-v3.0"},
            ("cohere.rerank", "cohere.rerank"),
        ),
    ),
    "gemini": (
        connectors.gemini_generate_content("gemini-2.0-flash", KEY, parameters={"generationConfig": {"topK": 1}}),
        {"contents": CONTENTS},
        Call(
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:generateContent",
            {"Content-Type": "application/json", "x-goog-api-key": KEY},
            {"contents": CONTENTS, "generationConfig": {"topK": 1}},
            structured=True,
        ),
    ),
    "bedrock titan v1": (
        connectors.bedrock_titan_embeddings("us-east-1", "amazon.titan-embed-text-v1", **AWS),
        {"inputText": "a"},
        Call(
            f"{BEDROCK}/amazon.titan-embed-text-v1/invoke",
            HASHED,
            {"inputText": "a"},
            ("bedrock.embedding", "bedrock.embedding"),
        ),
    ),
    "bedrock titan v2": (
        connectors.bedrock_titan_embeddings("us-east-1", **AWS),
        {"inputText": "a"},
        Call(
            f"{BEDROCK}/amazon.titan-embed-text-v2:0/invoke",
            HASHED,
            {"inputText": "a"},
            ("bedrock.embedding", "bedrock.embedding"),
        ),
    ),
    "bedrock titan v2 of another size and type": (
        connectors.bedrock_titan_embeddings(
            "us-east-1", dimensions=256, normalize=False, embedding_type="binary", **AWS
        ),
        {"inputText": "a"},
        Call(
            f"{BEDROCK}/amazon.titan-embed-text-v2:0/invoke",
            HASHED,
            {"inputText": "a", "dimensions": 256, "normalize": False, "embeddingTypes": ["binary"]},
            ("bedrock.embedding", "bedrock_v2.embedding.binary"),
        ),
    ),
    "bedrock converse": (
        connectors.bedrock_converse("us-east-1", "anthropic.claude-3-sonnet-20240229-v1:0", **AWS),
        {"inputs": 'Say "hello".'},
        Call(
            f"{BEDROCK}/anthropic.claude-3-sonnet-20240229-v1:0/converse",
            TYPED,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 'Say "hello".'}]}]},
            structured=True,
        ),
    ),
    "bedrock by a private endpoint": (
        connectors.bedrock_converse("us-east-1", "m", endpoint="https://vpce.example", **AWS),
        {"inputs": "a"},
        Call(
            "https://vpce.example/model/m/converse",
            TYPED,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
            structured=True,
        ),
    ),
    "sagemaker": (
        connectors.sagemaker_embeddings("us-west-2", "my-endpoint", **AWS),
        {"input": ["a", "b"]},
        Call(
            "https://runtime.sagemaker.us-west-2.amazonaws.com/endpoints/my-endpoint/invocations",
            TYPED,
            ["a", "b"],
            ("default.embedding", "default.embedding"),
        ),
    ),
    "http as openai": (
        connectors.http_embeddings("http://gpu:8000/embed/", model="m", api_key=KEY),
        {"input": ["a"]},
        Call(
            "http://gpu:8000/embed/",
            BEARER,
            {"input": ["a"], "model": "m"},
            ("openai.embedding", "openai.embedding"),
        ),
    ),
    "http with a key of its own": (
        connectors.http_embeddings(
            "http://gpu/e", input="texts", answer="list", headers={"X-Key": Secret(KEY), "X-Team": "search"}
        ),
        {"input": ["a"]},
        Call(
            "http://gpu/e",
            {"X-Key": KEY, "X-Team": "search"},
            {"texts": ["a"]},
            ("default.embedding", "default.embedding"),
        ),
    ),
    "http of a bare list, with scripts": (
        connectors.http_embeddings(
            "http://gpu/e", input=None, pre_process_function="return 1;", post_process_function="return 2;"
        ),
        {"input": ["a"]},
        Call("http://gpu/e", {}, ["a"], ("return 1;", "return 2;")),
    ),
}


@pytest.mark.parametrize(("connector", "given", "expected"), CALLS.values(), ids=CALLS)
def test_a_provider_hears_what_its_blueprint_says(
    connector: CreateConnector, given: Mapping[str, Any], expected: Call
) -> None:
    assert call(connector, **given) == expected


def test_every_builder_links_what_it_is_made_from() -> None:
    builders = [getattr(connectors, name) for name in connectors.__all__ if name.islower()]
    assert len(builders) == 10
    assert all("https://" in builder.__doc__ for builder in builders)


@pytest.mark.parametrize(
    ("connector", "protocol", "parameters", "credential"),
    [
        (connectors.openai_embeddings("m", KEY), "http", {"model": "m"}, {"openAI_key": KEY}),
        (connectors.gemini_generate_content("m", KEY), "http", {"model": "m"}, {"gemini_key": KEY}),
        (connectors.http_embeddings("http://h"), "http", {}, {}),
        (
            connectors.bedrock_titan_embeddings("us-east-1", roleArn="arn:aws:iam::1:role/r"),
            "aws_sigv4",
            {
                "region": "us-east-1",
                "service_name": "bedrock",
                "model": "amazon.titan-embed-text-v2:0",
                "input_docs_processed_step_size": 1,
            },
            {"roleArn": "arn:aws:iam::1:role/r"},
        ),
        (
            connectors.bedrock_converse("us-east-1", "m", access_key="a", secret_key="s", session_token="t"),
            "aws_sigv4",
            {
                "region": "us-east-1",
                "service_name": "bedrock",
                "model": "m",
                "response_filter": "$.output.message.content[0].text",
            },
            {"access_key": "a", "secret_key": "s", "session_token": "t"},
        ),
        (
            connectors.sagemaker_embeddings("us-east-1", "e", **AWS),
            "aws_sigv4",
            {"region": "us-east-1", "service_name": "sagemaker"},
            {"access_key": KEY, "secret_key": "s"},
        ),
    ],
)
def test_who_signs_and_with_what_is_in_the_connector(
    connector: CreateConnector, protocol: str, parameters: Any, credential: Any
) -> None:
    wire = orjson.loads(to_http(connector).body or b"")
    assert (wire["protocol"], wire["parameters"], wire["credential"]) == (protocol, parameters, credential)


@pytest.mark.parametrize("connector", [row[0] for row in CALLS.values()], ids=CALLS)
def test_no_repr_shows_a_key(connector: CreateConnector) -> None:
    assert KEY not in repr(connector)
    assert KEY not in repr(connector.credential)
    assert KEY not in repr(RegisterModel("m", function_name="remote", connector=connector))


def test_a_connector_has_a_name_and_a_version_until_it_is_given_others() -> None:
    plain = connectors.openai_chat("m", KEY)
    assert (plain.name, plain.version, plain.description) == ("OpenAI m", 1, None)
    config = ClientConfig(read_timeout=5)
    named = connectors.openai_chat("m", KEY, name="n", version="2", description="d", client_config=config)
    assert (named.name, named.version, named.description, named.client_config) == ("n", "2", "d", config)


def test_headers_of_like_names_keep_their_own_secrets() -> None:
    made = connectors.http_embeddings("http://gpu", headers={"x-a": Secret("1"), "x_a": Secret("2")})
    assert call(made, input=["a"]).headers == {"x-a": "1", "x_a": "2"}


def test_a_key_may_be_text_or_a_secret() -> None:
    assert connectors.openai_chat("m", KEY) == connectors.openai_chat("m", Secret(KEY))


# Every builder, with what makes it a connector.
BUILDERS: Mapping[str, Mapping[str, Any]] = {
    "openai_embeddings": {"model": "m", "api_key": KEY, "endpoint": "https://h"},
    "openai_chat": {"model": "m", "api_key": KEY, "endpoint": "https://h"},
    "openai_agent": {"model": "m", "api_key": KEY, "endpoint": "https://h"},
    "cohere_embeddings": {"model": "m", "api_key": KEY, "endpoint": "https://h", "input_type": "x", "truncate": "END"},
    "cohere_rerank": {"model": "m", "api_key": KEY, "endpoint": "https://h"},
    "gemini_generate_content": {"model": "m", "api_key": KEY, "endpoint": "https://h"},
    "http_embeddings": {"url": "https://h", "model": "m", "api_key": KEY, "input": "input"},
    "bedrock_titan_embeddings": {"region": "r", "model": "m", "endpoint": "https://h", **AWS},
    "bedrock_converse": {"region": "r", "model": "m", "endpoint": "https://h", **AWS},
    "sagemaker_embeddings": {"region": "r", "endpoint_name": "e", "endpoint": "https://h", **AWS},
}
GIVEN = [(builder, name) for builder, given in BUILDERS.items() for name in given]


def test_every_builder_is_among_those_that_are_tried() -> None:
    assert BUILDERS.keys() == {name for name in connectors.__all__ if name.islower()}


@pytest.mark.parametrize(("builder", "name"), GIVEN, ids=map(" ".join, GIVEN))
@pytest.mark.parametrize(("value", "words"), [("", "empty"), ("  ", "empty"), (5, "text")])
def test_no_builder_takes_nothing_for_something(builder: str, name: str, value: Any, words: str) -> None:
    make, given = getattr(connectors, builder), BUILDERS[builder]
    assert make(**given).protocol
    with pytest.raises(InvalidRequest, match=f"^{name} must (not )?be {words}"):
        make(**{**given, name: value})


NOTHING: Any = None
ANYTHING: Any = "elsewhere"
REFUSED: Mapping[str, Callable[[], CreateConnector]] = {
    "api_key must not be empty": lambda: connectors.openai_embeddings("m", ""),
    "api_key must not be empty ": lambda: connectors.cohere_rerank("m", Secret("  ")),
    "api_key must be text or a Secret, not NoneType": lambda: connectors.gemini_generate_content("m", NOTHING),
    "api_key must have no line ends": lambda: connectors.openai_chat("m", f"{KEY}\n"),
    "model must not be empty": lambda: connectors.openai_chat(" ", KEY),
    "model must be text, not NoneType": lambda: connectors.openai_embeddings(NOTHING, KEY),
    "endpoint must begin with https:// or http:// and a host, not 'api.openai.com'": lambda: connectors.openai_chat(
        "m", KEY, endpoint="api.openai.com"
    ),
    "endpoint must not be empty": lambda: connectors.openai_embeddings("m", KEY, endpoint=""),
    "url must begin with https:// or http:// and a host, not 'gpu:8000/embed'": lambda: connectors.http_embeddings(
        "gpu:8000/embed"
    ),
    "url must begin with https:// or http:// and a host, not 'http:///embed'": lambda: connectors.http_embeddings(
        "http:///embed"
    ),
    "url must have no spaces": lambda: connectors.http_embeddings("http://gpu/an embedder"),
    "url must not have a user name or password": lambda: connectors.http_embeddings(f"http://me:{KEY}@gpu"),
    "parameters must not have model": lambda: connectors.openai_chat("m", KEY, parameters={"model": "n"}),
    "parameters\\['user'\\] must have a value": lambda: connectors.openai_chat("m", KEY, parameters={"user": None}),
    "embedding_type 'int8' needs api='v2'": lambda: connectors.cohere_embeddings("m", KEY, embedding_type="int8"),
    "input_type must not be empty": lambda: connectors.cohere_embeddings("m", KEY, input_type=""),
    "truncate must not be empty": lambda: connectors.cohere_embeddings("m", KEY, truncate=""),
    "answer must be 'openai' or 'list', not 'elsewhere'": lambda: connectors.http_embeddings(
        "http://gpu", answer=ANYTHING
    ),
    "input must not be empty": lambda: connectors.http_embeddings("http://gpu", input=""),
    "input: the key 'model' cannot hold both": lambda: connectors.http_embeddings(
        "http://gpu", input="model", model="m"
    ),
    "input=None sends only the list of texts, without model": lambda: connectors.http_embeddings(
        "http://gpu", input=None, model="m"
    ),
    "headers\\['X-Key'\\] must not be empty": lambda: connectors.http_embeddings(
        "http://gpu", headers={"X-Key": Secret("")}
    ),
    "headers\\['X-Team'\\] must not be empty": lambda: connectors.http_embeddings("http://gpu", headers={"X-Team": ""}),
    "api_key and the header Authorization exclude each other": lambda: connectors.http_embeddings(
        "http://gpu", api_key=KEY, headers={"authorization": Secret("Basic x")}
    ),
    "post_process_function must not be empty": lambda: connectors.http_embeddings(
        "http://gpu", post_process_function=""
    ),
    "pre_process_function must not be empty": lambda: connectors.http_embeddings("http://gpu", pre_process_function=""),
    "region must be an AWS region such as us-east-1, not 'US East'": lambda: connectors.bedrock_converse(
        "US East", "m", **AWS
    ),
    "region must not be empty": lambda: connectors.sagemaker_embeddings("", "e", **AWS),
    "endpoint_name must have only letters": lambda: connectors.sagemaker_embeddings("r", "https://x", **AWS),
    "dimensions: amazon.titan-embed-text-v1 does not support this": lambda: connectors.bedrock_titan_embeddings(
        "us-east-1", "amazon.titan-embed-text-v1", dimensions=256, **AWS
    ),
    "roleArn and access_key exclude each other": lambda: connectors.bedrock_converse("r", "m", roleArn="a", **AWS),
    "access_key and secret_key, or roleArn, must be given": lambda: connectors.bedrock_converse("r", "m"),
    "secret_key must be given with access_key": lambda: connectors.bedrock_converse("r", "m", access_key="a"),
    "access_key must be given with session_token": lambda: connectors.bedrock_converse("r", "m", session_token="t"),
    "roleArn must not be empty": lambda: connectors.bedrock_converse("r", "m", roleArn=""),
}


@pytest.mark.parametrize(("words", "build"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_work_is_refused_by_its_name_and_without_the_key(
    words: str, build: Callable[[], CreateConnector]
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{words.strip()}") as refused:
        build()
    assert KEY not in str(refused.value)


# ---- over sockets: client -> emulator -> provider -------------------------------------------------------------------


@pytest_asyncio.fixture
async def ml() -> AsyncGenerator[Session]:
    async with emulator.serve() as url, Session(url, retries=0, backoff=NOW) as session:
        await session.settings.apply(LOOPBACK)
        yield session


@pytest_asyncio.fixture
async def provider() -> AsyncGenerator[str]:
    async with model_server.serve() as url:
        yield url


async def deployed(ml: Session, connector: CreateConnector, *, inside: bool = False) -> str:
    """Return the id of a deployed remote model, whose connector is embedded (``inside``) or separate."""
    if inside:
        started = await ml.models.register("remote", function_name="remote", connector=connector)
    else:
        created = await ml.send(connector)
        started = await ml.models.register("remote", function_name="remote", connector_id=created.connector_id)
    model_id = (await ml.task(started, backoff=NOW)).model_id
    assert model_id
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    return model_id


EMBEDDERS: Mapping[str, Callable[[str], CreateConnector]] = {
    "openai": lambda url: connectors.openai_embeddings("m", KEY, endpoint=url),
    "http as openai": lambda url: connectors.http_embeddings(f"{url}/v1/embeddings"),
    "http with a list": lambda url: connectors.http_embeddings(f"{url}/plain/embeddings", answer="list"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("build", EMBEDDERS.values(), ids=EMBEDDERS)
async def test_a_remote_model_embeds_through_a_built_connector(
    ml: Session, provider: str, build: Callable[[str], CreateConnector], inside: bool
) -> None:
    model_id = await deployed(ml, build(provider), inside=inside)
    texts = ["today is sunny", 'with "quotes"\nand lines', "ünïcödé"]
    wanted = np.array([model_server.vector_of(text) for text in texts], np.float32)
    np.testing.assert_array_equal(await ml.embed_many(model_id, texts), wanted)


@pytest.mark.asyncio
async def test_a_remote_model_reranks_through_a_built_connector(ml: Session, provider: str) -> None:
    model_id = await deployed(ml, connectors.cohere_rerank("m", KEY, endpoint=provider))
    texts = ["the sky is dark", "it is a sunny day today", "today"]
    wanted = np.array([model_server.score_of("sunny day today", text) for text in texts], np.float32)
    np.testing.assert_array_equal(await ml.rerank(model_id, "sunny day today", texts), wanted)


@pytest.mark.asyncio
async def test_a_remote_model_chats_through_a_built_connector(ml: Session, provider: str) -> None:
    model_id = await deployed(ml, connectors.openai_chat("m", KEY, endpoint=provider))
    answer = await ml.models.predict(model_id, parameters={"messages": MESSAGES})
    (output,) = answer.tensors
    assert isinstance(output, MapTensor)
    assert output.dataAsMap["choices"][0]["message"]["content"] == "The answer is 42."


@pytest.mark.asyncio
async def test_the_provider_gets_the_secrets_that_the_connector_hides(ml: Session) -> None:
    async with serve(reply([[1.0, 2.0]])) as provider:
        connector = connectors.http_embeddings(
            provider.url, input="texts", answer="list", api_key=KEY, headers={"X-Tenant": Secret("t")}
        )
        model_id = await deployed(ml, connector)
        assert (await ml.embed_many(model_id, ["a"])).tolist() == [[1.0, 2.0]]
    heard = provider.heard[-1]
    assert (heard.headers["authorization"], heard.headers["x-tenant"]) == (f"Bearer {KEY}", "t")
    assert (heard.json(), len(provider.heard)) == ({"texts": ["a"]}, 1)
