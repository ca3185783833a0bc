"""Settings by their names, on the wire by their keys, and put back as they were."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_type_hints

import orjson
import pytest

from aiomlcommons import NULL, BadRequest, HttpRequest, HttpResponse, InvalidRequest, NotSupported, Session
from aiomlcommons.api.setting_values import Flag, Number, Ratio, Text, Texts
from aiomlcommons.api.settings import FIRST_MODEL, PREFIX, MLSettings
from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.http import JSON
from aiomlcommons.net.transport import Timeout
from tests.support.reference import rows

P = PREFIX


class Cluster:
    """Settings of a cluster, kept as a real one keeps them: flat, and as text or lists of text."""

    def __init__(self, **kinds: dict[str, Any]) -> None:
        self.kinds: dict[str, dict[str, Any]] = {"persistent": {}, "transient": {}, **kinds}
        self.heard: list[HttpRequest] = []
        self.refuses = False

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.heard.append(request)
        if request.method == "PUT" and self.refuses:
            return HttpResponse(400, orjson.dumps({"error": {"type": "settings_exception", "reason": "no"}}))
        if request.method == "PUT":
            for kind, changes in orjson.loads(request.body or b"").items():
                self._change(self.kinds[kind], changes)
            return HttpResponse(200, orjson.dumps({"acknowledged": True, **self.kinds}), {"content-type": JSON})
        shown = self.kinds if request.query.get("include_defaults") == "true" else {**self.kinds, "defaults": None}
        kept = {kind: values for kind, values in shown.items() if values is not None}
        return HttpResponse(200, orjson.dumps(kept), {"content-type": JSON})

    @staticmethod
    def _change(kept: dict[str, Any], changes: Mapping[str, Any]) -> None:
        for key, value in changes.items():
            kept.pop(key, None)
            if value is not None:
                kept[key] = value if isinstance(value, list) else str(value).lower()


# ---- names and keys ------------------------------------------------------------------------------------------------


def test_settings_go_by_their_keys_and_none_is_left_as_it_is() -> None:
    settings = MLSettings(
        only_run_on_ml_node=False,
        native_memory_threshold=0,
        model_auto_deploy_enable=True,
        exclude_nodes_name="",
        trusted_connector_endpoints_regex=[],
        model_auto_redeploy_success_ratio=0.5,
    )
    assert settings.to_dict() == {
        P + "only_run_on_ml_node": False,
        P + "native_memory_threshold": 0,
        P + "model_auto_deploy.enable": True,
        P + "exclude_nodes._name": "",
        P + "trusted_connector_endpoints_regex": [],
        P + "model_auto_redeploy_success_ratio": 0.5,
    }
    assert MLSettings().to_dict() == {}


def test_settings_show_what_they_set() -> None:
    settings = MLSettings(only_run_on_ml_node=False, max_json_size=NULL)
    assert repr(settings) == "MLSettings(only_run_on_ml_node=False, max_json_size=NULL)"


def test_null_puts_a_setting_back_to_its_default() -> None:
    assert MLSettings(only_run_on_ml_node=NULL).to_dict() == {P + "only_run_on_ml_node": None}


@pytest.mark.parametrize(
    ("key", "value", "name", "read"),
    [
        ("only_run_on_ml_node", "true", "only_run_on_ml_node", True),
        ("only_run_on_ml_node", "false", "only_run_on_ml_node", False),
        ("native_memory_threshold", "90", "native_memory_threshold", 90),
        ("native_memory_threshold", "-1", "native_memory_threshold", -1),
        ("only_run_on_ml_node", "TRUE", "only_run_on_ml_node", True),
        ("native_memory_threshold", "1e3", "native_memory_threshold", 1000),
        ("model_auto_redeploy_success_ratio", "1.0E-4", "model_auto_redeploy_success_ratio", 0.0001),
        ("model_auto_redeploy_success_ratio", "0.8", "model_auto_redeploy_success_ratio", 0.8),
        ("task_dispatch_policy", "round_robin", "task_dispatch_policy", "round_robin"),
        ("disk_free_space_threshold", "5gb", "disk_free_space_threshold", "5gb"),
        ("model_auto_deploy.enable", "true", "model_auto_deploy_enable", True),
        ("trusted_connector_endpoints_regex", ["a", "b"], "trusted_connector_endpoints_regex", ["a", "b"]),
        ("max_ml_task_per_node", 5, "max_ml_task_per_node", 5),
        ("disk_free_space_threshold", -1, "disk_free_space_threshold", "-1"),
        ("trusted_connector_endpoints_regex", '["a{1,2}"]', "trusted_connector_endpoints_regex", ["a{1,2}"]),
        ("trusted_connector_endpoints_regex", "[a-z]+", "trusted_connector_endpoints_regex", ["[a-z]+"]),
        ("trusted_connector_endpoints_regex", "a{1,2}", "trusted_connector_endpoints_regex", ["a{1,2}"]),
        ("max_ml_task_per_node", NULL, "max_ml_task_per_node", NULL),
    ],
)
def test_text_is_read_as_what_the_setting_holds(key: str, value: Any, name: str, read: Any) -> None:
    settings = MLSettings.from_wire({P + key: value})
    assert getattr(settings, name) == read
    assert type(getattr(settings, name)) is type(read)
    assert settings == MLSettings(**{name: read})


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("only_run_on_ml_node", "yes", "true or false"),
        ("only_run_on_ml_node", 1, "true or false"),
        ("native_memory_threshold", "9x", "a number"),
        ("native_memory_threshold", "nan", "a number"),
        ("native_memory_threshold", True, "a number"),
        ("native_memory_threshold", "90.5", "a whole number"),
        ("model_auto_redeploy_success_ratio", "most", "a number"),
        ("task_dispatch_policy", ["a"], "text"),
        ("task_dispatch_policy", True, "text"),
        ("trusted_connector_endpoints_regex", "[1]", "a list of text"),
        ("trusted_connector_endpoints_regex", 5, "a list of text"),
    ],
)
def test_what_a_setting_cannot_hold_is_kept_of_a_cluster_and_refused_of_a_person(
    name: str, value: Any, holds: str
) -> None:
    assert MLSettings.from_wire({P + name: value}).to_dict() == {P + name: value}
    with pytest.raises(InvalidRequest, match=re.escape(f"{name} must be {holds}, not {value!r}")):
        MLSettings.from_words({P + name: value})


def test_keys_of_others_are_left_out() -> None:
    assert (
        MLSettings.from_wire({"cluster.name": "x", P + "not_known": "1", "only_run_on_ml_node": "true"}) == MLSettings()
    )


@pytest.mark.parametrize("field", fields_of(MLSettings), ids=lambda field: field.name)
def test_every_setting_survives_the_way_there_and_back(field: Any) -> None:
    value: Any = {Flag: True, Number: 5, Ratio: 0.5, Text: "text", Texts: ["a", "b"]}[
        get_type_hints(MLSettings)[field.name]
    ]
    settings = MLSettings(**{field.name: value})
    assert settings.to_dict() == {wire_name(field): value}
    stored = value if isinstance(value, list) else str(value).lower()
    assert MLSettings.from_wire({wire_name(field): stored}) == settings


def test_each_setting_has_its_key_and_its_version() -> None:
    for field in fields_of(MLSettings):
        assert wire_name(field).startswith(P)
        assert wire_name(field).removeprefix(P).replace("._", ".").replace(".", "_") == field.name
        assert (field.default, field.kw_only) == (None, True)


def test_each_setting_has_the_versions_that_the_servers_own_source_gives_it() -> None:
    told = {wire_name(field): (field.metadata["since"], field.metadata["until"]) for field in fields_of(MLSettings)}
    assert told == {P + row["setting"]: (row["since"], row["until"] or None) for row in rows("settings.tsv")}


@pytest.mark.parametrize(
    "word", ["model_auto_deploy.enable", "model_auto_deploy_enable", P + "model_auto_deploy.enable"]
)
def test_a_setting_goes_by_its_key_or_by_its_name(word: str) -> None:
    assert MLSettings.from_words({word: "True"}) == MLSettings(model_auto_deploy_enable=True)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("only_run_on_ml_nodes", "there is no setting plugins.ml_commons.only_run_on_ml_nodes; did you mean 'only_run"),
        (P + "max_models_on_node", "no setting plugins.ml_commons.max_models_on_node; did you mean 'max_model_on_node"),
        ("xyz", "there is no setting plugins.ml_commons.xyz; `aiomlcommons settings list` shows them"),
    ],
)
def test_an_unknown_setting_is_refused_with_what_it_comes_near(word: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        MLSettings.from_words({word: 1})


# ---- changing, and putting back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["persistent", "transient"])
@pytest.mark.asyncio
async def test_what_is_changed_can_be_put_back(kind: str) -> None:
    before = {P + "only_run_on_ml_node": "true", P + "max_ml_task_per_node": "7", "other.setting": "x"}
    cluster = Cluster(**{kind: dict(before)})
    async with Session(transport=cluster) as ml:
        wanted = MLSettings(only_run_on_ml_node=False, native_memory_threshold=99)
        had = await ml.settings.apply(wanted, transient=kind == "transient")
        assert had == MLSettings(only_run_on_ml_node=True, native_memory_threshold=NULL)
        assert cluster.kinds[kind] == {
            **before,
            P + "only_run_on_ml_node": "false",
            P + "native_memory_threshold": "99",
        }
        again = await ml.settings.apply(had, transient=kind == "transient")
    assert again == wanted
    assert cluster.kinds[kind] == before


@pytest.mark.asyncio
async def test_a_change_of_one_kind_leaves_the_other_alone() -> None:
    cluster = Cluster(persistent={P + "max_ml_task_per_node": "7"}, transient={P + "max_ml_task_per_node": "8"})
    async with Session(transport=cluster) as ml:
        had = await ml.settings.apply(MLSettings(max_ml_task_per_node=9))
        assert had.max_ml_task_per_node == 7
    assert cluster.kinds["transient"] == {P + "max_ml_task_per_node": "8"}
    assert cluster.heard[-1].body == orjson.dumps({"persistent": {P + "max_ml_task_per_node": 9}})


@pytest.mark.asyncio
async def test_what_was_there_is_asked_before_it_is_changed_and_flat() -> None:
    cluster = Cluster()
    async with Session(transport=cluster) as ml:
        await ml.settings.apply(MLSettings(max_ml_task_per_node=9))
    assert [(sent.method, dict(sent.query)) for sent in cluster.heard] == [
        ("GET", {"include_defaults": "true", "flat_settings": "true"}),
        ("PUT", {}),
    ]


@pytest.mark.asyncio
async def test_what_a_first_model_needs_is_set_and_put_back() -> None:
    start = {P + "only_run_on_ml_node": "true", P + "native_memory_threshold": "90"}
    cluster = Cluster(persistent=dict(start))
    async with Session(transport=cluster) as ml:
        before = await ml.settings.allow_first_model()
        assert cluster.kinds["persistent"] == {
            P + "only_run_on_ml_node": "false",
            P + "allow_registering_model_via_url": "true",
            P + "allow_registering_model_via_local_file": "true",
            P + "native_memory_threshold": "99",
        }
        assert await ml.settings.read() == FIRST_MODEL
        await ml.settings.apply(before)
    assert cluster.kinds == {"persistent": start, "transient": {}}


OLD = {P + "only_run_on_ml_node": "false", P + "max_load_model_tasks_per_node": "10", P + "max_model_on_node": "10"}
"""Of the settings of 2.4 those that these tests need, with their defaults there."""


def put(cluster: Cluster) -> list[Any]:
    return [orjson.loads(sent.body or b"") for sent in cluster.heard if sent.method == "PUT"]


@pytest.mark.asyncio
async def test_an_old_server_is_told_of_a_first_model_only_what_it_knows() -> None:
    cluster = Cluster(defaults=OLD)
    async with Session(transport=cluster) as ml:
        before = await ml.settings.allow_first_model()
        assert before == MLSettings(only_run_on_ml_node=NULL)
        await ml.settings.apply(before)
    assert put(cluster) == [
        {"persistent": {P + "only_run_on_ml_node": False}},
        {"persistent": {P + "only_run_on_ml_node": None}},
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"native_memory_threshold": 99}, "native_memory_threshold needs OpenSearch 2.5; this server does not have it"),
        ({"update_connector_enabled": True}, "update_connector.enabled needs OpenSearch 2.11 alone; this server"),
        (
            {"mcp_server_enabled": True, "max_upload_model_tasks_per_node": 5, "max_model_on_node": 9},
            f"{P}max_upload_model_tasks_per_node needs OpenSearch 2.4 to 2.6, {P}mcp_server_enabled needs OpenSearch 3",
        ),
    ],
)
@pytest.mark.asyncio
async def test_a_setting_that_the_server_lacks_is_named_with_the_version_that_has_it(
    settings: Mapping[str, Any], words: str
) -> None:
    cluster = Cluster(defaults=OLD)
    async with Session(transport=cluster) as ml:
        with pytest.raises(NotSupported, match=re.escape(words)):
            await ml.settings.apply(MLSettings(**settings))
    assert put(cluster) == []


@pytest.mark.asyncio
async def test_what_the_server_lacks_can_be_left_out() -> None:
    cluster = Cluster(defaults=OLD)
    wanted = MLSettings(max_model_on_node=9, native_memory_threshold=99)
    async with Session(transport=cluster) as ml:
        async with ml.settings.temporarily(wanted, skip_missing=True):
            assert cluster.kinds["persistent"] == {P + "max_model_on_node": "9"}
        assert cluster.kinds["persistent"] == {}
        assert await ml.settings.apply(MLSettings(native_memory_threshold=99), skip_missing=True) == MLSettings()
    assert len(put(cluster)) == 2


@pytest.mark.asyncio
async def test_a_setting_that_is_set_is_there_although_no_default_shows_it() -> None:
    cluster = Cluster(defaults=OLD, persistent={P + "native_memory_threshold": "80"})
    async with Session(transport=cluster) as ml:
        had = await ml.settings.apply(MLSettings(native_memory_threshold=99), transient=True)
    assert had == MLSettings(native_memory_threshold=NULL)


@pytest.mark.parametrize("settings", [MLSettings(), MLSettings(native_memory_threshold=NULL)])
@pytest.mark.asyncio
async def test_nothing_to_change_changes_nothing(settings: MLSettings) -> None:
    cluster = Cluster(defaults=OLD)
    cluster.refuses = True
    async with Session(transport=cluster) as ml:
        assert await ml.settings.apply(settings) == MLSettings()
        async with ml.settings.temporarily(settings):
            pass
    assert put(cluster) == []


@pytest.mark.asyncio
async def test_a_service_that_shows_no_defaults_is_sent_everything() -> None:
    cluster = Cluster(defaults={"cluster.name": "x"})
    async with Session(transport=cluster) as ml:
        await ml.settings.allow_first_model()
    assert len(put(cluster)[0]["persistent"]) == 4


@pytest.mark.asyncio
async def test_models_are_let_onto_all_nodes_and_taken_off_again() -> None:
    cluster = Cluster()
    async with Session(transport=cluster) as ml:
        assert await ml.settings.ml_on_all_nodes() == MLSettings(only_run_on_ml_node=NULL)
        assert await ml.settings.ml_on_all_nodes(False, transient=True) == MLSettings(only_run_on_ml_node=NULL)
    assert cluster.kinds == {
        "persistent": {P + "only_run_on_ml_node": "false"},
        "transient": {P + "only_run_on_ml_node": "true"},
    }


@pytest.mark.asyncio
async def test_a_first_model_may_be_allowed_until_the_next_restart_only() -> None:
    cluster = Cluster()
    async with Session(transport=cluster) as ml:
        await ml.settings.allow_first_model(transient=True)
    assert cluster.kinds["persistent"] == {}
    assert len(cluster.kinds["transient"]) == 4


@pytest.mark.asyncio
async def test_a_refused_change_is_raised() -> None:
    cluster = Cluster()
    cluster.refuses = True
    async with Session(transport=cluster) as ml:
        with pytest.raises(BadRequest, match="no"):
            await ml.settings.apply(MLSettings(max_ml_task_per_node=-5))


@pytest.mark.parametrize(
    ("kinds", "in_force"),
    [
        ({"defaults": {"max_ml_task_per_node": "1"}}, 1),
        ({"defaults": {"max_ml_task_per_node": "1"}, "persistent": {"max_ml_task_per_node": "2"}}, 2),
        (
            {
                "defaults": {"max_ml_task_per_node": "1"},
                "persistent": {"max_ml_task_per_node": "2"},
                "transient": {"max_ml_task_per_node": "3"},
            },
            3,
        ),
        ({"persistent": {}, "transient": {}}, None),
    ],
)
@pytest.mark.asyncio
async def test_transient_ones_are_in_force_over_persistent_ones_over_defaults(
    kinds: Mapping[str, Mapping[str, str]], in_force: int | None
) -> None:
    cluster = Cluster(**{kind: {P + name: value for name, value in values.items()} for kind, values in kinds.items()})
    async with Session(transport=cluster) as ml:
        assert (await ml.settings.read()).max_ml_task_per_node == in_force
        assert cluster.heard[-1].query == {"include_defaults": "true", "flat_settings": "true"}
        without = (await ml.settings.read(defaults=False)).max_ml_task_per_node
        assert without == (None if in_force == 1 else in_force)
