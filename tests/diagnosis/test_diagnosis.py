"""A diagnosis as a whole: it only reads, goes on after what fails, and says what it could not find out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web

from aiomlcommons import HttpResponse, Session, SessionClosed, Timeout
from aiomlcommons.api.models import SearchModels
from aiomlcommons.api.settings import GetClusterSettings
from aiomlcommons.diagnosis import Checked, Finding, Report, Severity
from aiomlcommons.diagnosis.diagnosis import NAMES
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.emulator.faults import Action
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.emulator.security import Security
from aiomlcommons.http import HttpRequest
from tests.support.pages import page_of

PRETRAINED = "all-MiniLM-L6-v2"


def emulator(**options: Any) -> Emulator:
    """Return an emulator without a fault."""
    made = Emulator(Cluster(**options), refresh=AT_ONCE)
    made.cluster.settings.put({"plugins.ml_commons.only_run_on_ml_node": "false"}, {})
    return made


def answer(data: Mapping[str, Any], status: int = 200) -> Action:
    async def action(_: web.BaseRequest, __: CallNext) -> web.StreamResponse:
        return web.json_response(data, status=status)

    return action


async def diagnosed(emulated: Emulator, **options: Any) -> dict[str, Checked]:
    async with emulated.serve() as url, Session(url, retries=0) as ml:
        return {checked.name: checked async for checked in ml.diagnose(**options)}


@pytest.mark.asyncio
async def test_a_healthy_cluster_has_no_problem_and_nothing_is_left_unchecked() -> None:
    emulated = emulator()
    async with emulated.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.models.ensure(PRETRAINED)
        report = await ml.diagnose()
    assert [checked.name for checked in report.checks] == list(NAMES)
    assert (report.findings, report.unchecked, report.healthy) == ((), (), True)
    assert report.summary == "no problems, no warnings"
    assert "ok: models: 1 known, 1 deployed" in str(report)


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["2.4.1", "2.11.0", "3.4.0", "3.8.0"])
async def test_it_reads_only(version: str) -> None:
    emulated = emulator(version=version)
    emulated.cluster.security = Security("ann")
    sent: list[HttpRequest] = []

    def noted(http: HttpRequest) -> bool:
        sent.append(http)
        return False

    emulated.faults.add(answer({}), on=noted, times=None)
    checks = await diagnosed(emulated)
    assert not any(checked.findings for name, checked in checks.items() if name != "settings")
    writes = [http for http in sent if http.method != "GET" and not http.path.endswith("/_search")]
    asked = [http for http in writes if http.query == {"perform_permission_check": "true"}]
    assert writes == asked
    # An older server does not know how to be asked: only what nobody has is sent to it.
    others = [] if version >= "3.4" else [http for http in asked if "only-asks/_deploy" not in http.path]
    assert others == []
    assert bool(checks["permissions"].unchecked) is (version < "3.4")


@pytest.mark.asyncio
async def test_a_check_that_fails_is_told_of_and_ends_nothing() -> None:
    emulated = emulator()
    emulated.faults.fail(500, on=GetClusterSettings, times=None)
    checks = await diagnosed(emulated)
    assert list(checks) == list(NAMES)
    unknown = {name for name, checked in checks.items() if checked.state == "unchecked"}
    assert unknown == {"nodes", "settings", "memory", "connectors"}
    assert checks["memory"].unchecked[0].startswith("boom (GET /_cluster/settings)")


@pytest.mark.asyncio
async def test_a_check_that_takes_too_long_is_told_of() -> None:
    emulated = emulator()
    emulated.faults.slow(60, on=lambda http: http.path.startswith("/_nodes/stats"))
    checks = await diagnosed(emulated, timeout=0.5)
    assert checks["memory"].unchecked == ("it took longer than 0.5 s",)
    assert checks["connectors"].state == "ok"


@pytest.mark.asyncio
async def test_an_answer_of_another_shape_is_told_of() -> None:
    emulated = emulator()
    emulated.faults.add(answer({"nodes": ["n1"]}), on=lambda http: http.path.startswith("/_nodes/stats"), times=None)
    checks = await diagnosed(emulated)
    assert checks["memory"].unchecked[0].startswith("an unexpected answer: AttributeError(")


@pytest.mark.asyncio
async def test_without_the_plugin_the_other_checks_are_left_out() -> None:
    emulated = emulator()
    refusal = {"error": "no handler found for uri [/_plugins/_ml/models/_search] and method [POST]"}
    emulated.faults.add(answer(refusal, 400), on=lambda http: http.path.startswith("/_plugins/_ml"), times=None)
    checks = await diagnosed(emulated)
    assert list(checks) == ["connection", "version"]
    (finding,) = checks["version"].findings
    assert finding.what == "ML Commons is not installed: the cluster does not know its routes"
    assert finding.command == "bin/opensearch-plugin install opensearch-ml"


@pytest.mark.asyncio
async def test_nodes_of_two_versions_and_one_without_the_plugin() -> None:
    emulated = emulator()
    ml_plugin = "opensearch-ml"
    nodes = {
        name: {"name": name, "roles": ["data"], "plugins": plugins}
        for name, plugins in {
            "a": [{"name": ml_plugin, "version": "3.4.0.0"}],
            "b": [{"name": ml_plugin, "version": "3.5.0.0"}],
            "c": [],
        }.items()
    }
    emulated.faults.add(answer({"nodes": nodes}), on=lambda http: http.path == "/_nodes/plugins", times=None)
    found = [finding.what for finding in (await diagnosed(emulated))["version"].findings]
    assert found == [
        "nodes without ML Commons: c",
        "the nodes run different versions of ML Commons: 3.4.0.0, 3.5.0.0",
    ]


@pytest.mark.asyncio
async def test_old_servers_are_told_what_came_later() -> None:
    seen = (await diagnosed(emulator(version="2.4.1")))["version"].seen
    assert seen.startswith("OpenSearch 2.4, ML Commons 2.4.1.0; not yet there: ")
    assert "connectors (2.9)" in seen
    assert "models (" not in seen


@pytest.mark.asyncio
async def test_indices_that_are_red_or_cannot_be_written() -> None:
    emulated = emulator()
    health = {"indices": {".plugins-ml-model": {"status": "red"}, ".plugins-ml-task": {"status": "green"}}}
    emulated.faults.add(answer(health), on=lambda http: http.path.startswith("/_cluster/health"), times=None)
    block = {"index.blocks.read_only_allow_delete": "true"}
    settings = {".plugins-ml-task": {"settings": block}, ".plugins-ml-model": {"settings": {}}}
    emulated.faults.add(answer(settings), on=lambda http: http.path.endswith("/_settings"), times=None)
    checked = (await diagnosed(emulated))["indices"]
    red, blocked = checked.findings
    assert checked.seen == "1 green, 1 red"
    assert red.what.startswith("red: .plugins-ml-model: ")
    assert blocked.what.startswith("no record can be written: .plugins-ml-task: ")
    assert """/.plugins-ml-task/_settings -H 'content-type: application/json' -d '{"index.blocks.""" in blocked.command


@pytest.mark.asyncio
async def test_a_name_that_a_server_makes_up_does_not_leave_its_quotes_in_a_command() -> None:
    emulated = emulator()
    settings = {"x'; echo `id` $(id) #": {"settings": {"index.blocks.read_only_allow_delete": "true"}}}
    emulated.faults.add(answer(settings), on=lambda http: http.path.endswith("/_settings"), times=None)
    command = (await diagnosed(emulated))["indices"].findings[0].command
    assert "/x%27%3B%20echo%20%60id%60%20%24%28id%29%20%23/_settings" in command


@pytest.mark.asyncio
async def test_a_user_without_rights_is_told_which_are_missing() -> None:
    emulated = emulator()
    emulated.cluster.security = Security("ann", ["own_index"], ["cluster:*", "indices:*"])
    checks = await diagnosed(emulated)
    rights, settings = checks["permissions"].findings
    assert "cluster:admin/opensearch/ml/register_model" in rights.why
    assert (settings.severity, settings.why) == (Severity.WARNING, "missing: cluster:admin/settings/update")
    assert checks["models"].unchecked == ("the user lacks cluster:admin/opensearch/ml/models/search",)


@pytest.mark.asyncio
async def test_a_user_who_may_only_not_look_at_nodes_has_a_warning() -> None:
    emulated = emulator()
    emulated.cluster.security = Security("ann", ["own_index"], ["cluster:monitor/nodes/*"])
    (finding,) = (await diagnosed(emulated))["permissions"].findings
    assert finding.severity is Severity.WARNING


@pytest.mark.asyncio
async def test_serverless_says_what_cannot_be_checked_there() -> None:
    emulated = Emulator(flavor="aoss")
    async with emulated.serve() as url, Session(url, flavor="aoss", retries=0, wait=0) as ml:
        report = await ml.diagnose()
    states = {checked.name: checked.state for checked in report.checks}
    assert report.healthy
    assert {name for name, state in states.items() if state == "ok"} == {"connection", "tasks"}
    assert {checked.seen for checked in report.checks if checked.name == "models"} == {"none"}


@pytest.mark.asyncio
async def test_a_managed_domain_is_not_told_to_change_what_it_refuses() -> None:
    emulated = Emulator(flavor="managed")
    async with emulated.serve() as url, Session(url, flavor="managed", retries=0) as ml:
        report = await ml.diagnose()
    (finding,) = report.findings
    assert finding.advice.startswith("AWS advises against switching it off on production domains")


@pytest.mark.asyncio
async def test_a_model_that_is_being_deployed_is_not_stuck() -> None:
    emulated = emulator()
    async with emulated.serve() as url, Session(url) as ml:
        model = await ml.models.ensure(PRETRAINED, deploy=False)
        emulated.faults.hang_task()
        await ml.models.deploy(model.model_id)
        report = await ml.diagnose()
    assert [checked.findings for checked in report.checks if checked.name in {"models", "tasks"}] == [(), ()]


@pytest.mark.asyncio
async def test_many_findings_are_cut_and_it_is_said() -> None:
    emulated = emulator()
    async with emulated.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        for number in range(22):
            await ml.models.register_meta(
                f"half-{number}",
                model_format="TORCH_SCRIPT",
                function_name="SPARSE_ENCODING",
                model_content_hash_value="a" * 64,
                total_chunks=2,
            )
        checked = {each.name: each async for each in ml.diagnose()}["models"]
    assert len(checked.findings) == 20
    assert checked.unchecked == ("2 findings more are not shown: mend these first",)


@pytest.mark.asyncio
async def test_it_asks_for_models_without_their_contents() -> None:
    emulated = emulator()
    bodies: list[bytes] = []

    def noted(http: HttpRequest) -> bool:
        if http.path == "/_plugins/_ml/models/_search":
            bodies.append(http.body or b"")
        return False

    emulated.faults.add(answer({}), on=noted, times=None)
    await diagnosed(emulated)
    assert all(b'"_source":false' in body or b'"excludes":["content","model_content"]' in body for body in bodies)


@pytest.mark.asyncio
async def test_a_closed_session_and_a_wrong_timeout_are_refused() -> None:
    emulated = emulator()
    async with emulated.serve() as url:
        ml = Session(url)
        with pytest.raises(SessionClosed):
            await ml.diagnose()
        with pytest.raises(ValueError, match="timeout must be a positive number of seconds, not 0"):
            ml.diagnose(timeout=0)


@pytest.mark.asyncio
async def test_a_cluster_that_is_gone_in_the_middle_is_told_of() -> None:
    emulated = emulator()
    emulated.faults.drop(on=SearchModels, times=None)
    checks = await diagnosed(emulated)
    assert checks["models"].state == "unchecked"


def test_a_finding_hides_credentials_in_urls() -> None:
    finding = Finding(Severity.PROBLEM, "no way to https://me:secret@host/?api_key=hidden", command="x")
    assert "secret" not in repr(finding)
    assert "hidden" not in repr(finding)


def test_the_state_of_a_check_is_its_worst() -> None:
    warning, problem = (Finding(severity, "w", command="c") for severity in (Severity.WARNING, Severity.PROBLEM))
    states = {
        "ok": Checked("a"),
        "unchecked": Checked("a", unchecked=["x"]),
        "warning": Checked("a", "", [warning], ["x"]),
        "problem": Checked("a", "", [warning, problem]),
    }
    assert {state: checked.state for state, checked in states.items()} == {state: state for state in states}
    report = Report(states.values())
    assert report.summary == "1 problem, 2 warnings, 2 things could not be checked"
    assert not report.healthy


def test_a_report_is_shown_briefly_and_read_back_from_its_data() -> None:
    finding = Finding(Severity.PROBLEM, "no node may run models " * 20, command="aiomlcommons settings set a=b")
    report = Report([Checked("memory", "heap 88 %", [finding]), Checked("tasks", "none")])
    assert Report.from_dict(report.to_dict()) == report
    assert len(repr(report)) < 250
    assert "heap 88 %" in report._repr_html_()


@pytest.mark.asyncio
async def test_records_that_the_user_may_not_read_are_passed_over() -> None:
    page = orjson.dumps(page_of({"hidden": None, "seen": {"name": "a"}}))

    async def answered(request: HttpRequest, _: Timeout) -> HttpResponse:
        return HttpResponse(200, page, {"content-type": "application/json"})

    async with Session(transport=answered) as ml:
        facts = Facts(ml)
        assert [key for key, _ in await facts.tasks()] == ["seen"]
        assert [key for key, _ in await facts.models()] == ["seen"]
