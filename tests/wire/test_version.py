"""Old and new servers: the right name of a route, or a clear error."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from aiomlcommons import HttpRequest, HttpResponse, NotSupported, Session
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.net.transport import Timeout
from aiomlcommons.wire.version import Version, needs_version, route_at
from tests.support.recording_server import INFO
from tests.wire.recordings import HERE, exchanges

JSON = {"content-type": "application/json"}
OLD = {str(e.request): e.response for e in exchanges([HERE / "ml-commons-2.4.1.jsonl"])}


class Network:
    """A server of a version: it knows the given routes, and responds to others as a real one does."""

    def __init__(self, number: str, known: dict[str, Any]) -> None:
        self.info = {**INFO, "version": {"number": number, "distribution": "opensearch"}}
        self.known = known
        self.heard: list[str] = []

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.heard.append(str(request))
        if str(request) == "GET /":
            return HttpResponse(200, orjson.dumps(self.info), JSON)
        if str(request) in self.known:
            return HttpResponse(200, orjson.dumps(self.known[str(request)]), JSON)
        error = f"no handler found for uri [{request.path}] and method [{request.method}]"
        return HttpResponse(400, orjson.dumps({"error": error}), JSON)


TASK = {"task_id": "t", "status": "CREATED"}
LOAD = "POST /_plugins/_ml/models/m/_load"


@pytest.mark.asyncio
async def test_an_old_server_is_asked_by_the_old_name_once_its_version_is_known() -> None:
    network = Network("2.4.1", {LOAD: TASK})
    async with Session(transport=network) as ml:
        assert (await ml.models.deploy("m")).task_id == "t"
        assert (await ml.models.deploy("m")).task_id == "t"
    assert network.heard == ["POST /_plugins/_ml/models/m/_deploy", "GET /", LOAD, LOAD]


@pytest.mark.parametrize(("number", "name"), [("2.6.0", LOAD), ("2.7.0", "POST /_plugins/_ml/models/m/_deploy")])
@pytest.mark.asyncio
async def test_the_first_version_with_a_new_name_is_asked_by_it(number: str, name: str) -> None:
    network = Network(number, {name: TASK})
    async with Session(transport=network) as ml:
        await ml.version()
        await ml.models.deploy("m")
    assert network.heard == ["GET /", name]


@pytest.mark.asyncio
async def test_compat_uses_the_old_name_from_the_start() -> None:
    network = Network("2.4.1", {LOAD: TASK})
    async with Session(transport=network, compat="2.4") as ml:
        await ml.models.deploy("m")
    assert network.heard == [LOAD]


REGISTER = "POST /_plugins/_ml/models/_register"
GROUP = "POST /_plugins/_ml/model_groups/_register"


@pytest.mark.parametrize(("number", "status"), [("7.10.2", 200), ("x", 200), ("3.4.0", 403)])
@pytest.mark.asyncio
async def test_compat_is_the_version_where_the_server_tells_none(number: str, status: int) -> None:
    network = Network(number, {})

    async def silent(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        got = await network(request, timeout)
        return HttpResponse(status, got.body, got.headers) if request.path == "/" else got

    async with Session(transport=silent, compat="2.11") as ml:
        assert await ml.version() == (2, 11)
        with pytest.raises(NotSupported, match=r"is_enabled needs OpenSearch 2\.12; this server is 2\.11"):
            await ml.models.register("x", is_enabled=True)
    assert network.heard == ["GET /"]


@pytest.mark.asyncio
async def test_the_servers_own_word_is_better_than_compat() -> None:
    group = {"model_group_id": "g", "status": "CREATED"}
    network = Network("3.4.0", {REGISTER: TASK, GROUP: group})
    async with Session(transport=network, compat="2.4") as ml:
        assert (await ml.model_groups.register("g")).model_group_id == "g"
        await ml.models.register("x", is_enabled=True, model_content_hash_value="0", url="https://host/m.zip")
        assert await ml.version() == (3, 4)
    assert network.heard == ["GET /", GROUP, REGISTER]


@pytest.mark.asyncio
async def test_a_wrong_compat_is_found_out_where_its_name_is_not_known() -> None:
    network = Network("3.4.0", {"POST /_plugins/_ml/models/m/_deploy": TASK})
    async with Session(transport=network, compat="2.4") as ml:
        await ml.models.deploy("m")
        await ml.models.deploy("m")
    assert network.heard == [LOAD, "GET /", *["POST /_plugins/_ml/models/m/_deploy"] * 2]


URL: dict[str, Any] = {"url": "https://host/m.zip"}
CONFIG: dict[str, Any] = {"model_type": "bert", "embedding_dimension": 4, "framework_type": "huggingface_transformers"}


@pytest.mark.parametrize(
    ("fields", "before", "since", "what"),
    [
        ({}, "2.5.0", "2.6.0", "a pretrained model by its name"),
        ({**URL, "function_name": "METRICS_CORRELATION"}, "2.6.0", "2.7.0", "a METRICS_CORRELATION model"),
        ({"function_name": "remote", "connector_id": "c"}, "2.8.0", "2.9.0", "connector_id"),
        ({**URL, "function_name": "sparse_encoding"}, "2.10.0", "2.11.0", "a SPARSE_ENCODING model"),
        ({**URL, "function_name": "SPARSE_TOKENIZE"}, "2.10.0", "2.11.0", "a SPARSE_TOKENIZE model"),
        ({**URL, "function_name": "TEXT_SIMILARITY"}, "2.11.0", "2.12.0", "a TEXT_SIMILARITY model"),
        ({**URL, "function_name": "QUESTION_ANSWERING"}, "2.12.0", "2.13.0", "a QUESTION_ANSWERING model"),
        ({**URL, "model_config": ModelConfig(**CONFIG, pooling_mode="cls")}, "2.4.1", "2.5.0", "model_config.pooling_"),
        ({**URL, "model_config": ModelConfig(**CONFIG, query_prefix="q: ")}, "2.12.0", "2.13.0", "model_config.query"),
        ({**URL, "model_config": ModelConfig(**CONFIG, passage_prefix=":")}, "2.12.0", "2.13.0", "model_config.passa"),
    ],
)
@pytest.mark.asyncio
async def test_a_model_that_a_server_does_not_know_yet_is_refused_before_it_is_sent(
    fields: dict[str, Any], before: str, since: str, what: str
) -> None:
    known = {REGISTER: TASK, "POST /_plugins/_ml/models/_upload": TASK}
    for number in (before, since):
        network = Network(number, known)
        async with Session(transport=network) as ml:
            if number == since:
                await ml.models.register("x", **fields)
                continue
            with pytest.raises(NotSupported, match=f"{what}.* needs OpenSearch {since[:-2]}; this server is"):
                await ml.models.register("x", **fields)
        assert network.heard == ["GET /"]


@pytest.mark.parametrize(
    ("config", "model_format"),
    [
        ({"pooling_mode": "mean"}, "TORCH_SCRIPT"),
        ({"pooling_mode": "CLS", "framework_type": "SENTENCE_TRANSFORMERS"}, "TORCH_SCRIPT"),
        ({"model_max_length": 128}, "TORCH_SCRIPT"),
    ],
)
@pytest.mark.asyncio
async def test_a_config_that_changes_nothing_on_an_old_server_is_sent(
    config: dict[str, Any], model_format: Any
) -> None:
    network = Network("2.4.1", {"POST /_plugins/_ml/models/meta": {"model_id": "m", "status": "CREATED"}})
    given: dict[str, Any] = {"model_format": model_format, "model_content_hash_value": "0", "total_chunks": 1}
    async with Session(transport=network) as ml:
        await ml.models.register_meta("x", **given, model_config=ModelConfig(**{**CONFIG, **config}))
        with pytest.raises(NotSupported, match=r"pooling_mode needs OpenSearch 2\.5"):
            onnx = ModelConfig(**{**CONFIG, "framework_type": "sentence_transformers", "pooling_mode": "CLS"})
            await ml.models.register_meta("x", **{**given, "model_format": "ONNX"}, model_config=onnx)


@pytest.mark.parametrize("function", ["SPARSE_ENCODING", "TEXT_SIMILARITY"])
@pytest.mark.asyncio
async def test_a_file_of_a_kind_that_a_server_does_not_know_yet_is_refused(function: str) -> None:
    network = Network("2.4.1", {})
    async with Session(transport=network) as ml:
        with pytest.raises(NotSupported, match=f"a {function} model needs OpenSearch"):
            await ml.models.register_meta(
                "x", function_name=function, model_format="ONNX", model_content_hash_value="0", total_chunks=1
            )
    assert network.heard == ["GET /"]


@pytest.mark.asyncio
async def test_an_unknown_kind_of_model_is_for_the_server_to_judge() -> None:
    async with Session(transport=Network("2.4.1", {"POST /_plugins/_ml/models/_upload": TASK})) as ml:
        await ml.models.register("x", function_name="OF_TOMORROW", **URL)


@pytest.mark.asyncio
async def test_the_recorded_405_of_an_old_server_leads_to_the_old_name() -> None:
    refused = OLD["POST /_plugins/_ml/models/_register"]
    network = Network("2.4.1", {"POST /_plugins/_ml/models/_upload": TASK})

    async def first_refuses(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return refused if request.path.endswith("_register") else await network(request, timeout)

    async with Session(transport=first_refuses) as ml:
        assert (await ml.models.register("x", version="1", url="https://host/m.zip")).task_id == "t"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("2.4.1", "RegisterModelGroup needs OpenSearch 2.8; this server is 2.4"),
        ("1.3.0", "RegisterModelGroup needs OpenSearch 2.8; this server is 1.3"),
    ],
)
async def test_an_endpoint_that_a_server_does_not_have_yet_is_named(number: str, words: str) -> None:
    async with Session(transport=Network(number, {})) as ml:
        with pytest.raises(NotSupported, match=words):
            await ml.model_groups.register("g")


@pytest.mark.asyncio
async def test_an_endpoint_that_was_removed_is_named() -> None:
    async with Session(transport=Network("3.4.0", {})) as ml:
        with pytest.raises(NotSupported, match=r"IngestBatch was removed in OpenSearch 3\.0; this server is 3\.4"):
            await ml.batch_ingestion("index", field_map={}, data_source={})


@pytest.mark.asyncio
async def test_a_field_that_a_server_does_not_have_yet_is_refused_before_it_is_lost() -> None:
    network = Network("2.11.0", {"PUT /_plugins/_ml/models/m": {}, "POST /_plugins/_ml/models/_register": TASK})
    async with Session(transport=network) as ml:
        with pytest.raises(
            NotSupported, match=r"RegisterModel: is_enabled needs OpenSearch 2\.12; this server is 2\.11"
        ):
            await ml.models.register("x", is_enabled=True)
        await ml.models.register("x")
    assert network.heard == ["GET /", "POST /_plugins/_ml/models/_register"]


@pytest.mark.asyncio
async def test_a_present_server_that_does_not_know_a_route_says_it_itself() -> None:
    async with Session(transport=Network("3.4.0", {})) as ml:
        with pytest.raises(Exception, match="no handler found for uri"):
            await ml.models.get("m")


@pytest.mark.asyncio
async def test_a_version_that_may_not_be_known_stops_nothing() -> None:
    heard = []

    async def forbidden_root(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        heard.append(str(request))
        if request.path == "/":
            return HttpResponse(403, b'{"error": {"type": "security_exception", "reason": "no"}, "status": 403}', JSON)
        return HttpResponse(200, orjson.dumps(TASK), JSON)

    async with Session(transport=forbidden_root) as ml:
        assert await ml.version() is None
        await ml.models.register("x", is_enabled=True)
        await ml.models.register("x", is_enabled=True)
    assert heard.count("GET /") == 1


@pytest.mark.asyncio
async def test_calls_that_meet_an_old_server_together_all_learn_its_version() -> None:
    names = [f"POST /_plugins/_ml/models/{name}/_load" for name in "abc"]
    network = Network("2.4.1", dict.fromkeys(names, TASK))

    async def in_turns(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        await asyncio.sleep(0)
        return await network(request, timeout)

    async with Session(transport=in_turns) as ml:
        started = await asyncio.gather(*map(ml.models.deploy, "abc"))
    assert [one.task_id for one in started] == ["t"] * 3
    assert network.heard.count("GET /") == 1


@pytest.mark.asyncio
async def test_a_version_that_was_not_answered_is_asked_again() -> None:
    network = Network("2.4.1", {})
    away = True

    async def sometimes(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return HttpResponse(503, b"", {}) if away else await network(request, timeout)

    async with Session(transport=sometimes, retries=0) as ml:
        assert await ml.version() is None
        away = False
        assert await ml.version() == (2, 4)


@pytest.mark.asyncio
async def test_a_stream_is_refused_where_the_server_is_too_old() -> None:
    async with Session(transport=Network("2.4.1", {}), compat="2.4") as ml:
        with pytest.raises(NotSupported, match=r"this server is 2\.4"):
            async with ml.models.predict_stream("m", parameters={}):
                pass


@pytest.mark.parametrize(
    ("text", "version"), [("3.4.0", (3, 4)), ("2.19.0-SNAPSHOT", (2, 19)), ("2.4", (2, 4)), ("3", (3, 0))]
)
def test_versions_are_read(text: str, version: tuple[int, int]) -> None:
    assert Version.parse(text) == version


def test_a_version_is_compared_as_numbers() -> None:
    assert Version.parse("2.19") > Version.parse("2.4")
    assert str(Version(2, 19)) == "2.19"


@pytest.mark.parametrize("text", ["7.10.2", "x", ""])
def test_what_is_no_version_of_opensearch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Version.parse(text)


def test_compat_must_be_a_version() -> None:
    with pytest.raises(ValueError, match=r"compat must be a version of OpenSearch, such as '2\.4', not '7\.10'"):
        Session(compat="7.10")


def test_values_are_asked_about_where_they_are_given_as_dicts_too() -> None:
    config: Any = {"model_type": "bert", "embedding_dimension": 4, "query_prefix": "query: "}
    given = RegisterModel("m", version="1", model_config=config)
    assert needs_version(given)
    with pytest.raises(NotSupported, match=r"model_config\.query_prefix"):
        route_at(given, Version.parse("2.4"))
    config["query_prefix"] = 5  # which is refused where the request is encoded
    assert not needs_version(RegisterModel("m", version="1", model_config=config))
