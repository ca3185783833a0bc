"""What keeps an index from being re-embedded is said before work begins, with the remedy, and nothing is written."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import attrs
import pytest

from aiomlcommons import InvalidRequest, MLCommonsError, Session
from aiomlcommons.api.aliases import AddAlias, RemoveAlias
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.reembedding import facts, source_checks
from aiomlcommons.reembedding.errors import AnotherRun, CannotReembed, WrongRun
from aiomlcommons.reembedding.state import Owner, StateFile
from tests.support.aliased_index import CREATED, NEW, World, world

pytestmark = pytest.mark.asyncio


async def refused(given: World, error: type[MLCommonsError], words: str, **options: Any) -> None:
    """Check that entering raises an error, and that there is no new index then."""
    before = set(await given.ml.indices.aliases())
    with pytest.raises(error, match=words):
        async with given.ml.reembed(**{"index": "docs", "model": NEW, "alias": "live", **options}):
            pass
    assert set(await given.ml.indices.aliases()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"index": "docs,other"}, "cannot be the name of one index"),
        ({"index": " "}, "index must be a name"),
        ({"alias": "docs"}, "alias and index are both 'docs'"),
        ({"alias": None}, "name alias=, the name that programs use for 'docs'"),
        ({"target": "live"}, "'live' is the alias itself"),
        ({"target": "Docs"}, "'D' is not allowed"),
        ({"field": "text"}, "field and text are both 'text'"),
        ({"alias": None, "field": "second", "freeze": True}, "freeze= is for a new index"),
        ({"text": "{title"}, "the template '{title' is invalid"),
        ({"model": 7}, "model must be an id, a name or a spec"),
        ({"max_failures": -1}, "max_failures must be the number of documents"),
        ({"freeze": 1}, "freeze must be True or False"),
        ({"require": ["ndcg@10 >= 0.5"]}, "needs queries= and judgments="),
        ({"require": ["overlap@10 >= 0.5", "nonsense"]}, "'nonsense' cannot be read"),
        ({"queries": ["a"]}, "queries= needs judgments="),
        ({"engine": "lucine"}, "did you mean 'lucene'"),
        ({"batch": 0}, "batch must be 1 or more"),
        ({"body": []}, "body must be a dict"),
    ],
)
async def test_options_are_checked_before_the_cluster_is_asked(options: dict[str, Any], words: str) -> None:
    given = {"index": "docs", "model": NEW, "alias": "live", **options}
    async with Session("http://127.0.0.1:1") as ml:  # where nothing listens
        with pytest.raises(InvalidRequest, match=words):
            await ml.reembed(**given)


async def test_an_alias_of_two_indices_is_refused() -> None:
    async with world() as given:
        await given.ml.indices.create("other")
        await given.ml.indices.update_aliases([AddAlias("other", "live")])
        await refused(given, CannotReembed, "the alias live leads to 2 indices, docs and other, .* take the other")
        await given.ml.indices.update_aliases([RemoveAlias("docs", "live")])
        await refused(given, CannotReembed, "the alias live leads to other, not to docs")
        await refused(given, CannotReembed, "other is an index itself, and no alias", alias="other")
        await refused(given, CannotReembed, r'no alias nope: add it .*AddAlias\("docs", "nope"\)', alias="nope")
        await refused(
            given, CannotReembed, "'live' is an alias, of other: give the index itself", index="live", alias="x"
        )
        await refused(given, CannotReembed, "there is no index 'dogs'; did you mean 'docs'", index="dogs")


async def test_a_target_with_other_content_is_refused() -> None:
    async with world() as given:
        await given.ml.indices.create(CREATED)
        await given.write({"id": "x", "text": "mine"}, index=CREATED)
        await refused(
            given, CannotReembed, f"{CREATED} exists already, with 1 documents .* name another one with target="
        )


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"model": "ms-marco-MiniLM-L-6-v2"}, "of the kind TEXT_SIMILARITY, whose configuration tells no embedding_dim"),
    (
        {"body": {"mappings": {"properties": {"embedding": {"type": "knn_vector", "dimension": 3}}}}},
        "do not fit into the field 'embedding' as body= makes it: it is of dimension 3, and these vectors of 768",
    ),
    ({"text": "tetx"}, r"no field 'tetx', which is to be embedded \(text=, --text\); did you mean 'text'\?"),
    ({"text": "yaer"}, r"no field 'yaer', .*; its fields of text are 'id', 'text'"),
    ({"text": "year"}, "none of the first 10 documents of index docs can be embedded: .*name what is to be"),
    ({"field": "year"}, "the field 'year' of index docs is of type long, and holds no vectors"),
    ({"alias": None, "field": "embedding"}, "docs has a field 'embedding' already: name with field="),
]


async def test_a_model_or_a_field_that_does_not_fit_is_refused() -> None:
    async with world() as given:
        await given.ml.models.ensure("ms-marco-MiniLM-L-6-v2")
        for options, words in MISFITS:
            await refused(given, MLCommonsError, words, **options)


SOURCES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"enabled": False}, {}, "keeps no _source, so that there is nothing to copy"),
    ({"excludes": ["te*"]}, {}, "the _source of index s1 leaves out 'text', the text to embed: .* load the doc"),
    ({"includes": ["text", "embedding"]}, {}, "the _source of index s2 leaves out 'year', and copies would"),
    ({"excludes": ["embedding"]}, {"field": "new"}, "leaves out 'embedding', and copies would lose it: give the new"),
    (
        {"excludes": ["embedding"]},
        {"alias": None, "field": "second"},
        "leaves out 'embedding', and a partial update would lose it .* make a new index instead, with alias=",
    ),
]


async def test_what_source_leaves_out_is_told() -> None:
    async with world(filled=False) as given:
        for number, (source, options, words) in enumerate(SOURCES):
            index = f"s{number}"
            mappings = {"_source": source, "properties": {"year": {"type": "long"}}}
            await given.ml.indices.create_for(given.old, index, body={"mappings": mappings})
            await given.ml.indices.update_aliases([AddAlias(index, f"a{number}")])
            await refused(given, CannotReembed, words, **{"index": index, "alias": f"a{number}", **options})


async def test_vectors_that_source_leaves_out_are_replaced_and_the_next_loss_is_told() -> None:
    async with (
        world({"mappings": {"_source": {"excludes": ["embedding"]}}}) as given,
        given.ml.reembed("docs", model=NEW, alias="live") as job,
    ):
        assert any("partial updates (_update) lose the vector" in words for words in job.plan.warnings)


async def test_an_index_that_is_read_only_is_refused() -> None:
    in_place = {"alias": None, "field": "second"}
    async with world() as given:
        for block, options, words in (
            ("read_only", {}, r"read-only \(index.blocks.read_only\), so that no alias can be taken from it: .*None}"),
            ("metadata", {}, "index docs must not be read: .*index.blocks.metadata.*None.* ends that"),
            ("read", {}, 'index docs must not be read: .*index.blocks.read"'),
            ("read_only_allow_delete", {}, "read-only because a disk was full .* make room, then"),
            ("write", in_place, "so that its documents cannot get a field"),
        ):
            await given.ml.indices.put_settings("docs", {f"index.blocks.{block}": True})
            settings: dict[str, Any] = {"model": NEW, "alias": "live", **options}
            with pytest.raises(MLCommonsError, match=words):
                await given.ml.reembed("docs", **settings)
            await given.ml.indices.put_settings("docs", {f"index.blocks.{block}": None})
        assert set(await given.ml.indices.aliases()) == {"docs"}


async def test_an_index_whose_writes_are_blocked_can_be_copied() -> None:
    async with world() as given:
        await given.ml.indices.put_settings("docs", {"index.blocks.write": True})
        report = await given.ml.reembed("docs", model=NEW, alias="live", freeze=True)
        assert report.phase == "switched"
        await given.write({"id": "new", "text": "the new index is not blocked"})


async def test_no_room_for_a_second_copy_is_told_before() -> None:
    async with world() as given:
        given.cluster.machine = attrs.evolve(given.cluster.machine, free_disk=1_000)
        await refused(given, CannotReembed, "a second copy of index docs needs about .* GB free: add a node or a disk")


async def test_a_target_that_is_an_alias_is_refused_and_so_is_an_index_without_texts() -> None:
    async with world(filled=False) as given:
        await given.ml.indices.update_aliases([AddAlias("docs", "other")])
        await refused(given, CannotReembed, "other is an alias, of docs: name another index", target="other")
        await given.write(*({"id": f"a{number}", "year": number} for number in range(120)))
        await refused(
            given, CannotReembed, "no document of index docs has a text in 'text': name what is to be embedded"
        )
        await given.write({"id": "z", "text": "the last one"})
        async with given.ml.reembed("docs", model=NEW, alias="live") as job:
            assert job.plan.sampled == 1


async def test_documents_of_writers_versions_are_refused() -> None:
    async with world() as given:
        query = {"version": "1000000", "version_type": "external"}
        await given.ml.request("PUT", "/docs/_doc/x", body={"text": "a"}, query=query)
        await refused(given, CannotReembed, r"'x' of index docs has the version 1000000, which a writer gave it")


async def test_pipelines_that_embed_by_the_old_model_are_refused_until_another_one_is_named() -> None:
    async with world() as given:
        await given.ml.pipelines.create("embeds", processors=[TextEmbedding(given.old, {"text": "embedding"})])
        await given.ml.indices.put_settings("docs", {"index.default_pipeline": "embeds"})
        words = "pipeline 'embeds' of index docs fills 'embedding' by the model .*: name with pipeline= .* or '_none'"
        await refused(given, CannotReembed, words)
        await refused(given, CannotReembed, words, pipeline="embeds")
        async with given.ml.reembed("docs", model=NEW, alias="live", pipeline="_none") as job:
            assert job.plan.body["settings"]["index"]["default_pipeline"] == "_none"
        async with given.ml.reembed("docs", model=NEW, alias="live", field="other") as job:
            assert job.plan.body["settings"]["index"]["default_pipeline"] == "embeds"


async def test_documents_that_security_hides_from_the_user_are_not_lost_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hidden(*_: Any) -> int:
        return 5

    async with world() as given:
        await given.write(*({"id": f"more{number}", "text": "a"} for number in range(40)))
        monkeypatch.setattr(facts, "count_of", hidden)
        async with given.ml.reembed("docs", model=NEW, alias="live", sample=False):
            pass  # a search that was behind: the second count, after a refresh, finds all
        monkeypatch.setattr(source_checks, "count_of", hidden)
        await refused(
            given, CannotReembed, r"docs has 50 documents, and searches find 5: .*\(document-level security\)"
        )


async def test_pipelines_that_there_are_not_are_refused_unless_the_old_index_names_them_too() -> None:
    async with world() as given:
        words = "no ingest pipeline 'nope', so that after the switch each write by the alias would fail: create it, or "
        await refused(given, CannotReembed, words, pipeline="nope")
        await refused(
            given, CannotReembed, "no search pipeline 'nope', so that after the switch", search_pipeline="nope"
        )
        await refused(given, CannotReembed, words, body={"settings": {"index.final_pipeline": "nope"}})
        await given.ml.indices.put_settings("docs", {"index.final_pipeline": "gone"})
        async with given.ml.reembed("docs", model=NEW, alias="live", sample=False) as job:
            assert "there is no pipeline gone, which the old index names too" in str(job.plan)


async def test_another_model_or_field_does_not_go_on_with_a_run() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, alias="live") as job:
            await job.prepare()
        await refused(given, WrongRun, f"re-embedded into {CREATED} by the model .* undo it", model=given.old)
        await refused(given, WrongRun, f"re-embedded into {CREATED} by the model", model=given.old, resume=True)
        await refused(
            given,
            WrongRun,
            "begun otherwise: with text='text', not 'id'; leave that out to go on, or undo it",
            text="id",
        )
        await refused(given, CannotReembed, "no re-embedding of index docs to go on with", target="x", resume=True)


async def test_another_model_does_not_go_on_with_a_second_field() -> None:
    second: dict[str, Any] = {"alias": None, "field": "second"}
    words = (
        r"the field 'second' of index docs is for vectors of the model .*: go on with that one, undo it \({}\), or name"
    )
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, field="second") as job:
            await job
            assert job.report.back == "aiomlcommons reembed docs --field second --rollback"
        await refused(given, WrongRun, words.format(job.report.back), model=given.old, **second)
        async with given.ml.reembed("docs", field="second") as job:
            await job.rollback()
        await refused(given, WrongRun, "go on with that one, or name another field", model=given.old, **second)


BEGUN: dict[str, Any] = {
    "pipeline": "first",
    "search_pipeline": "_none",
    "engine": "lucene",
    "body": {"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"more": {"type": "long"}}}},
}
OTHERWISE: list[tuple[dict[str, Any], str]] = [
    ({"pipeline": "other"}, "has pipeline='first', not 'other' .*put_settings.*index.default_pipeline\": \"other\""),
    ({"pipeline": "_none"}, "has pipeline='first', not '_none'"),
    ({"search_pipeline": "other"}, "has search_pipeline='_none', not 'other' .*index.search.default_pipeline"),
    ({"engine": "faiss"}, "its field 'embedding' has the engine lucene, not faiss"),
    ({"method": "ivf"}, "its field 'embedding' has the method hnsw, not ivf"),
    ({"method": {"name": "hnsw", "parameters": {"m": 99}}, "engine": "faiss"}, "has the engine lucene, not faiss"),
    ({"space_type": "linf"}, "its field 'embedding' has the space cosinesimil, not linf"),
    ({"body": {"settings": {"number_of_replicas": 1}}}, "begun otherwise: with another body="),
    ({"alias": "other", "target": CREATED}, "begun otherwise: with alias='live', not 'other'"),
    ({"field": "other", "target": CREATED}, "begun otherwise: with field='embedding', not 'other'"),
]


async def test_options_that_describe_another_index_do_not_go_on_with_a_run() -> None:
    async with world() as given:
        await given.ml.pipelines.create("first", processors=[])
        async with given.ml.reembed("docs", model=NEW, alias="live", **BEGUN) as job:
            await job.prepare()
        for options, words in OTHERWISE:
            await refused(given, WrongRun, words, **options)
        await refused(given, WrongRun, "its field .*; leave that out", resume=True, engine="faiss", model=None)
        report = await given.ml.reembed("docs", model=NEW, alias="live", **BEGUN)  # the same call goes on
        assert report.phase == "switched"


async def test_what_the_body_says_of_a_pipeline_counts_before_the_option_again() -> None:
    async with world() as given:
        await given.ml.pipelines.create("first", processors=[])
        both: dict[str, Any] = {"pipeline": "_none", "body": {"settings": {"index.default_pipeline": "first"}}}
        async with given.ml.reembed("docs", model=NEW, alias="live", **both) as job:
            await job.prepare()
        assert (await given.ml.reembed("docs", model=NEW, alias="live", **both)).phase == "switched"
        await given.ml.reembed("docs", model=NEW, alias="live", pipeline="first")
        await refused(given, WrongRun, "has pipeline='first', not '_none'", pipeline="_none")


async def test_a_second_process_is_refused_while_the_first_one_lives() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, alias="live") as job:
            await job.prepare()
            async with given.ml.reembed("docs", alias="live") as other:
                with pytest.raises(AnotherRun, match=f"process {os.getpid()} on .* is re-embedding into {CREATED}"):
                    await other.switch()
        file = StateFile(given.ml, CREATED)
        state = await file.read()
        assert state is not None
        assert state.owner is None
        elsewhere = Owner(token="x", host="elsewhere", pid=1, beat=time.time())
        await file.write(attrs.evolve(state, owner=elsewhere))
        async with given.ml.reembed("docs", alias="live") as job:
            with pytest.raises(AnotherRun, match="process 1 on elsewhere"):
                await job
        killed = attrs.evolve(elsewhere, host=socket.gethostname(), pid=2**22 + 1)  # there is no such process
        await file.write(attrs.evolve(state, owner=killed))
        assert (await given.ml.reembed("docs", alias="live")).phase == "switched"


async def test_serverless_is_refused() -> None:
    async with Session("http://127.0.0.1:1", flavor="aoss") as ml:
        with pytest.raises(CannotReembed, match="no sequence numbers of documents"):
            await ml.reembed("docs", model="m", alias="live")
