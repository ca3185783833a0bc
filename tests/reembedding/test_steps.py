"""The steps of a re-embedding, from the plan to the end, and back from each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.reembedding.counts import Round
from aiomlcommons.reembedding.errors import AnotherRun, CannotReembed, NotSwitched, WrongRun
from aiomlcommons.reembedding.job import ReembeddingJob
from aiomlcommons.reembedding.owning import Owning
from aiomlcommons.reembedding.report import Report
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.state import Phase, StateFile
from aiomlcommons.reembedding.task import Pace, of
from tests.support.aliased_index import CREATED, NEW, ROWS, World, world
from tests.support.jobs import NOW

pytestmark = pytest.mark.asyncio
TEXTS = {str(row["id"]): str(row["text"]) for row in ROWS}


async def test_an_index_gets_a_new_model_behind_its_alias_and_the_old_one_stays() -> None:
    async with world() as given:
        body: dict[str, Any] = {"filter": {"range": {"year": {"gte": 1}}}, "is_write_index": True}
        await given.ml.indices.update_aliases([AddAlias("docs", "live", **body), AddAlias("docs", "other")])
        async with given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
            assert job.plan.documents == 10
            assert job.plan.mapping["dimension"] == 768
            assert job.plan.rate
            assert "docs -> docs-all-mpnet-base-v2; planned" in str(job.plan)
            assert await given.leads_to() == {"docs"}
            assert set(await given.ml.indices.aliases()) == {"docs"}  # nothing was written
            report = await job
        assert report.phase == "switched"
        found = await given.ml.indices.aliases(name="live")
        assert set(found) == {CREATED}
        alias = found[CREATED].aliases["live"]
        assert (alias.filter, alias.is_write_index) == (body["filter"], True)
        assert report.figures["new"]["cosine"] > 0.999
        assert set(report.figures["new"]) == {"cosine", "self@1", "overlap@10"}
        assert (report.differences["missing"], report.differences["unembedded"]) == (0, 0)
        assert await given.texts(CREATED) == await given.texts("docs") == TEXTS
        assert await given.nearest("text number 7") == "d7"
        again = await given.ml.reembed("docs", model=NEW, alias="live")  # does nothing, and says the same
        assert (again.phase, again.steps) == (report.phase, report.steps)
        assert again.warnings[0] == "the aliases other go on leading to docs: only live is switched"


async def test_what_is_written_on_the_way_is_brought_over_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Rounds.late

    async def late_after_a_write(rounds: Rounds, marks: Mapping[int, int]) -> Round:
        await given.write({"id": "late", "text": "past the alias"}, index="docs")
        monkeypatch.undo()
        return await late(rounds, marks)

    monkeypatch.setattr(Rounds, "late", late_after_a_write)
    async with world() as given, given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
        await job.prepare()
        await given.write({"id": "d1", "text": "changed"}, {"id": "new", "text": "before the switch"})
        await given.delete("d2")
        await job.switch()
        assert (await given.texts())["late"] == "past the alias"
        await given.write({"id": "d3", "text": "after the switch"})
        assert (await job.follow()).phase == "switched"
        await given.delete("late")
        assert "late" in await given.texts("docs")
        monkeypatch.setattr(Rounds, "late", None)
        await job.switch()  # does nothing more: what was deleted must not come back, however much later
        expected = TEXTS | {
            "d1": "changed",
            "new": "before the switch",
        }
        del expected["d2"]
        assert await given.texts() == expected | {"d3": "after the switch"}
        async for hit in given.ml.search("live"):
            assert len(hit.source["embedding"]) == 768 or isinstance(hit.source["embedding"], str)
            assert hit.source[of("embedding")]


async def test_what_was_written_since_the_new_index_was_filled_is_in_it_before_it_is_checked_again() -> None:
    async with world() as given:
        for text in ("changed", "changed again"):
            async with given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
                report = await job.prepare()
            assert (report.differences["stale"], report.differences["missing"]) == (0, 0)
            await given.write({"id": "d1", "text": text}, {"id": text, "text": "a new one"})
        assert (await given.texts(CREATED))["changed"] == "a new one"


async def test_follow_goes_on_until_an_event() -> None:
    async with world() as given, given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
        await job
        ends = anyio.Event()
        following = asyncio.ensure_future(job.follow(ends, every=0.01))
        await given.write({"id": "new", "text": "written while it follows"})
        while not [
            hit async for hit in given.ml.search("live", {"exists": {"field": of("embedding")}}) if hit.id == "new"
        ]:
            await given.ml.indices.refresh("live")
        ends.set()
        assert (await following).counts["embedded"] >= 11


async def test_a_second_field_of_the_same_index_is_filled_and_taken_away_again() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, field="second", sample=False) as job:
            with pytest.raises(InvalidRequest, match="not checked yet"):
                await job.switch()
            report = await job
            assert (report.phase, report.alias) == ("switched", None)
            await given.write({"id": "d1", "text": "changed"})
            await job.follow()
            found = {hit.id: hit.source async for hit in given.ml.search("docs")}
            assert all("second" in source for source in found.values())
            with pytest.raises(InvalidRequest, match="no field can be taken from a mapping"):
                await job.finish(delete_old=True)
        async with given.ml.reembed("docs", field="second") as job:
            await job.rollback()
        found = {hit.id: hit.source async for hit in given.ml.search("docs")}
        assert not any("second" in source or of("second") in source for source in found.values())
        assert len(found) == 10


Interrupted = Callable[[World, ReembeddingJob], Any]


async def _nothing(_: World, __: ReembeddingJob) -> None:
    """Roll back before anything was done."""


async def _prepared(_: World, job: ReembeddingJob) -> None:
    await job.prepare()


async def _switched(given: World, job: ReembeddingJob) -> None:
    await job
    await given.write({"id": "new", "text": "since the switch"})
    await given.delete("d4")


async def _finished(given: World, job: ReembeddingJob) -> None:
    await _switched(given, job)
    await job.finish()


@pytest.mark.parametrize("interrupted", [_nothing, _prepared, _switched, _finished])
async def test_after_a_rollback_searches_answer_as_before(interrupted: Interrupted) -> None:
    async with world() as given:
        before = [await given.nearest(text) for text in TEXTS.values()]
        async with given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
            await interrupted(given, job)
        async with given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
            report = await job.rollback()
            assert (await job.rollback()).phase == report.phase
        assert await given.leads_to() == {"docs"}
        texts = dict(TEXTS)
        if interrupted in {_switched, _finished}:
            texts = {**texts, "new": "since the switch"}
            del texts["d4"]
            assert await given.nearest("since the switch") == "new"  # with a vector of the old model
        else:
            assert CREATED not in await given.ml.indices.aliases()
            assert [await given.nearest(text) for text in TEXTS.values()] == before
        assert await given.texts() == texts


async def test_the_old_index_is_deleted_at_the_end_only_and_then_there_is_no_way_back() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, alias="live", freeze=True) as job:
            with pytest.raises(InvalidRequest, match="it is not switched yet"):
                await job.finish(delete_old=True)
            await job
            with pytest.raises(AssertionError, match="cluster_block"):  # of a writer past the alias
                await given.write({"id": "x", "text": "a"}, index="docs")
            await given.ml.indices.update_aliases([AddAlias("docs", "other")])
            with pytest.raises(CannotReembed, match="the alias other still leads to docs"):
                await job.finish(delete_old=True)
            await given.ml.request("DELETE", "/docs/_alias/other")
            assert (await job.finish(delete_old=True)).phase == "finished"
        assert set(await given.ml.indices.aliases()) == {CREATED}
        async with given.ml.reembed("docs", alias="live") as job:
            assert (job.report.phase, job.report.back) == ("finished", "")
            with pytest.raises(CannotReembed, match="the old index docs is deleted, and there is no way back"):
                await job.rollback()
        with pytest.raises(
            WrongRun, match=f"live leads to {CREATED} already, .* name {CREATED} as the index to give it"
        ):
            await given.ml.reembed("docs", model=given.old, alias="live")
        async with given.ml.reembed(CREATED, model=given.old, alias="live", sample=False) as job:
            assert (job.plan.target, job.plan.warnings) == ("docs-all-minilm-l6-v2", ())  # the old model is known


async def test_an_old_index_that_somebody_deleted_keeps_nobody_from_the_end() -> None:
    async with world() as given:
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        await given.ml.indices.delete("docs")
        async with given.ml.reembed("docs", alias="live") as job:
            assert (await job).phase == "switched"
            assert (await job.follow()).phase == "switched"
            assert (await job.finish(delete_old=True)).phase == "finished"


async def test_queries_of_the_user_decide_and_what_is_not_as_required_is_not_switched_to() -> None:
    queries = {key: text for key, text in TEXTS.items() if key < "d3"}
    options: dict[str, Any] = {"queries": queries, "judgments": {key: {key: 1} for key in queries}}
    async with world() as given:
        options |= {"model": NEW, "alias": "live", "old_model": given.old, "sample": False}
        with pytest.raises(NotSwitched, match=r"live still leads to the old index: .*ndcg@10 of new is 1\.0") as raised:
            await given.ml.reembed("docs", require=["ndcg@10 >= old + 0.1", "self@1 >= 0.9"], **options)
        assert await given.leads_to() == {"docs"}
        report: Report = raised.value.report
        assert report.phase == "caught up"
        assert [words.partition(":")[0] for words in report.unmet] == ["ndcg@10 >= old + 0.1"]
        assert "NOT AS ASKED" in str(report)
        report = await given.ml.reembed("docs", require="ndcg@10 >= old - 0.1", **options)
        assert report.phase == "switched"
        assert report.figures["new"]["ndcg@10"] == report.figures["old"]["ndcg@10"] == 1
        assert "ndcg@10 1.0000" in report.markdown()


async def test_a_text_that_the_model_refuses_is_switched_only_if_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = Pace.options
    monkeypatch.setattr(Pace, "options", lambda pace, text: patient(attrs.evolve(pace, backoff=NOW), text))

    async def refuses(request: Any, go: Any) -> Any:
        if b"poison" in await request.read():
            raise refused(500, "translate_exception", "the text cannot be translated")
        return await go()

    dead = tmp_path / "docs.dead.jsonl"
    options: dict[str, Any] = {"model": NEW, "alias": "live", "sample": False, "dead_letters": dead}
    async with world() as given:
        await given.write({"id": "d3", "text": "poison", "year": 3})
        given.cluster.faults.add(refuses, on=PREDICTIONS, times=None)
        with pytest.raises(NotSwitched, match=r"1 documents that have a text have no vector of it, such as d3: .*dead"):
            await given.ml.reembed("docs", **options)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(NotSwitched, match=rf"such as d3: {CREATED}\.dead\.jsonl says why"):
            await given.ml.reembed("docs", **{**options, "dead_letters": None})
        assert (tmp_path / f"{CREATED}.dead.jsonl").exists()
        assert await given.leads_to() == {"docs"}
        assert b"d3" in await asyncio.to_thread(dead.read_bytes)
        report = await given.ml.reembed("docs", max_failures=1, **options)
        assert (report.phase, report.differences["unembedded"]) == ("switched", 1)
        assert (await given.texts())["d3"] == "poison"  # words still find it


async def test_how_far_the_copying_is_can_be_asked_meanwhile() -> None:
    async with world() as given, given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
        await job.prepare()
        file = StateFile(given.ml, CREATED)
        state = await file.read()
        assert state is not None
        await file.write(state.reached(Phase.COPYING))
        await given.delete("d1", "d2", index=CREATED)
        async with given.ml.reembed("docs", alias="live") as other:
            assert "8 of 10 documents were in docs-all-mpnet-base-v2 when it was asked" in str(other.report)


async def test_a_limit_of_requests_counts_for_the_time_that_is_told() -> None:
    async with world() as given:
        slow: dict[str, Any] = {"model": NEW, "alias": "live", "batch": 10, "requests_per_minute": 6}
        async with given.ml.reembed("docs", **slow) as job:
            assert (job.plan.rate, job.plan.seconds) == (1, 10)
        async with given.ml.reembed("docs", model=NEW, alias="live") as job:
            await job.prepare()
            assert job.plan.rate
            assert job.plan.rate > 1
        async with given.ml.reembed("docs", **slow) as job:
            assert (job.plan.rate, job.plan.seconds) == (1, 10)


async def test_a_search_pipeline_that_hides_documents_hides_none_from_the_copy() -> None:
    async def hides(request: Any, go: Any) -> Any:
        if request.query.get("search_pipeline") != "_none":
            raise refused(400, "filtered", f"{request.method} {request.path} went through the search pipeline")
        return await go()

    def is_search(request: Any) -> bool:
        return "/_plugins" not in request.path and request.path.endswith("/_search")

    async with world() as given:
        given.cluster.faults.add(hides, on=is_search, times=None)
        async with given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
            assert (await job).phase == "switched"
            await given.write({"id": "d1", "text": "changed"})
            await job.follow()
            assert (await job.rollback()).phase == "rolled back"
        given.cluster.faults.clear()


async def test_nothing_is_asked_of_all_indices_which_is_for_those_who_may_read_all_of_them() -> None:
    async def refuses(request: Any, go: Any) -> Any:
        if request.path.startswith(("/_alias/", "/_mapping", "/_settings", "/_stats", "/_all")):
            raise refused(403, "security_exception", f"no permissions for all indices ({request.path})")
        return await go()

    async with world() as given:
        given.cluster.faults.add(refuses, on=lambda request: request.method == "GET", times=None)
        async with given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old, sample=False) as job:
            assert (await job).phase == "switched"
            assert (await job.rollback()).phase == "rolled back"
        given.cluster.faults.clear()


async def test_a_report_can_be_sent() -> None:
    async with world() as given:
        report = await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        assert report.back == "aiomlcommons reembed docs --alias live --target docs-all-mpnet-base-v2 --rollback"
        assert report.back in str(report)
        assert report.back in report.markdown()
        assert "<table" in report._repr_html_()
        assert Report.from_dict(report.to_dict()) == report


async def test_what_a_person_did_to_the_alias_counts_more_than_the_state() -> None:
    async with world() as given:
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        await given.ml.request("DELETE", f"/{CREATED}/_alias/live")
        await given.ml.indices.update_aliases([AddAlias("docs", "live")])
        await given.write({"id": "new", "text": "into the old index again"})
        report = await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        assert report.phase == "switched"
        assert (await given.texts(CREATED))["new"] == "into the old index again"


async def test_other_keys_of_meta_are_kept() -> None:
    async with world({"mappings": {"_meta": {"owner": "us", "aiomlcommons": {"other": 1}}}}) as given:
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        meta = (await given.ml.indices.mapping(CREATED))[CREATED].mappings["_meta"]
        assert meta["owner"] == "us"
        assert set(meta["aiomlcommons"]) == {"other", "reembedding"}


@pytest.mark.parametrize("step", ["whole", "since", "differences", "late", "back"])
async def test_a_run_that_is_broken_off_anywhere_goes_on(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Exception):
        pass

    async def broken(*_: object, **__: object) -> None:
        raise Broken

    async with world() as given:
        goes_back = step == "back"
        if goes_back:
            await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
            await given.write({"id": "new", "text": "since the switch"})
        with monkeypatch.context() as patched:
            patched.setattr(Rounds, step, broken)
            with pytest.raises(Broken):
                async with given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
                    await (job.rollback() if goes_back else job)
        async with given.ml.reembed("docs", alias="live", resume=True) as job:
            if goes_back:
                with pytest.raises(InvalidRequest, match="its rollback was begun"):
                    await job.switch()
                with pytest.raises(InvalidRequest, match="its rollback was begun"):
                    await job.finish(delete_old=True)
                await job.rollback()
            else:
                await job
        assert await given.leads_to() == {"docs" if goes_back else CREATED}
        assert await given.texts() == TEXTS | ({"new": "since the switch"} if goes_back else {})


async def test_a_run_that_was_taken_over_stops() -> None:
    async with world() as given:
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        file = StateFile(given.ml, CREATED)
        state = await file.read()
        assert state is not None
        mine = Owning()
        await mine.take(file, state)
        await mine.beat_once()
        mine.check()
        await file.write(attrs.evolve(state, owner=attrs.evolve(mine.owner(), token="of another", host="elsewhere")))
        await mine.beat_once()
        with pytest.raises(AnotherRun, match="on elsewhere is re-embedding"):
            mine.check()
        await mine.release()  # leaves the other one's sign of life
        found = await file.read()
        assert found is not None
        assert found.owner is not None
        assert found.owner.host == "elsewhere"
