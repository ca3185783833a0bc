"""What ``ml.search_text`` chooses, by the mapping, the pipelines and the plugins, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import attrs
import pytest
import pytest_asyncio

from aiomlcommons import InvalidRequest, NoSuchModel, NotSearchable, Session
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.api.search_processors import NeuralQueryEnricher, Normalization
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.searching.choice import Choice, choose
from aiomlcommons.searching.facts import Facts, other_fields
from aiomlcommons.searching.fields import common_fields
from aiomlcommons.searching.models import QueryModel
from aiomlcommons.searching.pipelines import Embedder, OwnPipelines, pipelines_of
from aiomlcommons.searching.plan import COMBINED, plan_by
from aiomlcommons.searching.plugins import Plugins
from aiomlcommons.searching.vector_queries import by_vectors
from aiomlcommons.searching.wanted import Wanted
from tests.support.served_emulator import NOW

pytestmark = pytest.mark.asyncio
DENSE, SPARSE, RERANKER = "all-MiniLM-L6-v2", "opensearch-neural-sparse-encoding-v1", "ms-marco-MiniLM-L-6-v2"
TEXT = {"type": "text"}
DYNAMIC = {"type": "text", "fields": {"keyword": {"type": "keyword"}}}
VECTOR = {"type": "knn_vector", "dimension": 384}
WEIGHTS = {"type": "rank_features"}
BOTH = Plugins(knn=True, neural_search=True)
KNN_ONLY = Plugins(knn=True, neural_search=False)


@attrs.frozen
class World:
    """A session on an emulator, and the ids of its models by name."""

    ml: Session
    models: Mapping[str, str]

    async def choose(self, facts: Facts, model: str | None = None, **wanted: Any) -> Choice:
        return await choose(self.ml, facts, Wanted(facts.index, "a text", model, **wanted))

    async def query(self, facts: Facts, model: str | None = None, **wanted: Any) -> tuple[str, Any]:
        asked = Wanted(facts.index, "a text", model, **wanted)
        return await by_vectors(self.ml, facts, await choose(self.ml, facts, asked), asked)


@pytest_asyncio.fixture
async def world() -> AsyncGenerator[World]:
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        names = (DENSE, SPARSE, RERANKER)
        yield World(ml, {name: (await ml.models.ensure(name, backoff=NOW)).model_id for name in names})


def facts(plugins: Plugins = BOTH, pipelines: OwnPipelines = OwnPipelines(), **properties: Any) -> Facts:  # noqa: B008
    return Facts("docs", common_fields({"docs": {"properties": properties}}), pipelines, plugins)


# ---- the model -------------------------------------------------------------------------------------------------------


async def test_a_model_is_named_by_id_or_name(world: World) -> None:
    for name in (DENSE, world.models[DENSE]):
        found = await world.choose(facts(embedding=VECTOR), name)
        assert found.model is not None
        assert (found.model.model_id, found.field.name) == (world.models[DENSE], "embedding")


async def test_the_index_names_the_model_by_its_ingest_pipeline(world: World) -> None:
    own = OwnPipelines((Embedder("p", world.models[DENSE], "body", "embedding"),))
    found = await world.choose(facts(BOTH, own, embedding=VECTOR, body=TEXT, title=TEXT))
    assert found.model is not None
    assert found.model.model_id == world.models[DENSE]
    assert found.text_field is not None
    assert found.text_field.name == "body"  # which the vectors are of
    assert "the ingest pipeline p of the index embeds by it" in found.reasons[1]


async def test_the_index_names_the_model_by_its_search_pipeline(world: World) -> None:
    enricher = NeuralQueryEnricher("other", neural_field_default_id={"embedding": world.models[DENSE]})
    found = await world.choose(
        facts(BOTH, OwnPipelines((), "s", (enricher,)), embedding=VECTOR, other=WEIGHTS), field="embedding"
    )
    assert found.model is not None
    assert found.model.model_id == world.models[DENSE]
    assert "the search pipeline s of the index names it" in found.reasons[1]


async def test_a_semantic_field_names_its_model_and_is_searched_for_words_itself(world: World) -> None:
    semantic = {"type": "semantic", "model_id": world.models[SPARSE]}
    info = {"properties": {"embedding": WEIGHTS}}
    known = facts(text=semantic, text_semantic_info=info)
    found = await world.choose(known)
    assert found.model is not None
    assert (found.model.model_id, found.text_field) == (world.models[SPARSE], found.field)
    assert await world.query(known) == ("neural", {"neural": {"text": {"query_text": "a text"}}})


async def test_a_model_that_is_gone_is_said_with_who_names_it(world: World) -> None:
    own = OwnPipelines((Embedder("p", "gone", "text", "embedding"),))
    with pytest.raises(NotSearchable, match=r"no model 'gone', although the ingest pipeline p .* by model="):
        await world.choose(facts(BOTH, own, embedding=VECTOR))


async def test_several_models_of_the_pipelines_are_told(world: World) -> None:
    own = OwnPipelines((Embedder("p", "one", "text", "v"), Embedder("q", "two", "text", "v")))
    with pytest.raises(NotSearchable, match=r"of index docs embed v by several models \(one, two\), .* as model="):
        await world.choose(facts(BOTH, own, v=VECTOR))


async def test_a_model_that_is_not_deployed_is_said_with_the_remedy(world: World) -> None:
    model_id = world.models[DENSE]
    await world.ml.models.undeploy(model_id)
    with pytest.raises(NotSearchable, match=rf"is UNDEPLOYED, .*: `await ml.models.ensure\('{model_id}'\)` deploys"):
        await world.choose(facts(v=VECTOR), DENSE)
    await world.ml.models.ensure(model_id, backoff=NOW)
    assert (await world.choose(facts(v=VECTOR), DENSE)).model_id == model_id


async def test_a_remote_model_is_deployed_by_the_server() -> None:
    for kind, is_at_hand in (("TEXT_EMBEDDING", False), ("REMOTE", True)):
        record = Model(name="m", algorithm=kind, model_state="UNDEPLOYED")
        assert QueryModel("m", record, "").is_at_hand is is_at_hand


async def test_without_a_model_those_that_fit_are_named(world: World) -> None:
    with pytest.raises(NotSearchable, match=rf"name the model .* by model= .*; models that fit are \S*{DENSE} "):
        await world.choose(facts(embedding=VECTOR))
    with pytest.raises(NotSearchable, match=r"nothing in the index tells$"):
        await world.choose(facts(embedding={**VECTOR, "dimension": 7}))


async def test_pipelines_are_read_as_far_as_they_are_there(world: World) -> None:
    enricher, embeds = NeuralQueryEnricher("m"), TextEmbedding("m", field_map={"text": "v"})
    await world.ml.pipelines.create("p", processors=[embeds])
    await world.ml.pipelines.create_search(
        "s", request_processors=[enricher], phase_results_processors=[Normalization()]
    )
    await world.ml.pipelines.create_search("plain", response_processors=[])
    settings: Any = {"default_pipeline": "p", "final_pipeline": "gone", "search": {"default_pipeline": "s"}}
    found = await pipelines_of(world.ml, [settings])
    assert found == OwnPipelines((Embedder("p", "m", "text", "v"),), "s", (enricher,), combines=True)
    assert found.query_model("v") == "m"
    # Where indices differ in it, the server takes none.
    assert (await pipelines_of(world.ml, [settings, {}])).search_pipeline is None
    assert not (await pipelines_of(world.ml, [{"search": {"default_pipeline": "plain"}}])).combines
    nothing = {"default_pipeline": "_none", "search": {"default_pipeline": "gone"}}
    assert await pipelines_of(world.ml, [nothing]) == OwnPipelines()


async def test_the_servers_tokenizer_does_without_a_model_where_there_is_neural_search(world: World) -> None:
    found = await world.choose(facts(weights=WEIGHTS))
    assert found.model is None
    assert "the server's tokenizer finds the tokens" in found.reasons[1]
    with pytest.raises(NotSearchable, match=r"name the model that made the vectors of weights \(rank_features\)"):
        await world.choose(facts(KNN_ONLY, weights=WEIGHTS))


async def test_a_pretrained_model_that_is_not_there_yet_is_said_with_the_remedy(world: World) -> None:
    with pytest.raises(NotSearchable, match=r"await ml.models.ensure\('.*all-distilroberta-v1'\)` registers"):
        await world.choose(facts(embedding=VECTOR), "all-distilroberta-v1")
    with pytest.raises(NoSuchModel, match="did you mean"):
        await world.choose(facts(embedding=VECTOR), "all-MiniLM-L6-v3")
    with pytest.raises(InvalidRequest, match="model must be the id or the name of a model, not int"):
        await world.choose(facts(embedding=VECTOR), 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        (DENSE, {**VECTOR, "dimension": 768}, "makes vectors of 384 dimensions, and the field holds those of 768"),
        (
            DENSE,
            {**VECTOR, "data_type": "byte"},
            "makes vectors of floats, as local models do, and the field holds bytes",
        ),
        (DENSE, WEIGHTS, "makes dense vectors, and the field holds weights of tokens"),
        (SPARSE, VECTOR, "makes weights of tokens, and the field holds dense vectors"),
        (RERANKER, VECTOR, "is a model of the kind TEXT_SIMILARITY, which makes no vectors"),
    ],
)
async def test_a_model_that_does_not_fit_is_refused(world: World, name: str, field: Any, words: str) -> None:
    with pytest.raises(NotSearchable, match=f"the model .*{name} .* {words}: search index docs"):
        await world.choose(facts(v=field), name, field="v")
    with pytest.raises(NotSearchable, match=f"index docs has no field for what the model .*{name} .*{words}"):
        await world.choose(facts(v=field), name)


# ---- the field of vectors --------------------------------------------------------------------------------------------


async def test_of_several_fields_the_one_that_fits_the_model_is_taken(world: World) -> None:
    fields: dict[str, Any] = {"a": VECTOR, "b": WEIGHTS, "c": {**VECTOR, "dimension": 768}}
    assert (await world.choose(facts(**fields), DENSE)).field.name == "a"
    assert (await world.choose(facts(**fields), SPARSE)).field.name == "b"
    with pytest.raises(NotSearchable, match=r"several fields of vectors: name one by field=, of a \(knn_vector, 384 d"):
        await world.choose(facts(**fields))


async def test_a_field_that_holds_no_vectors_is_refused_with_those_that_do(world: World) -> None:
    with pytest.raises(NotSearchable, match=r"field text \(text\) holds no vectors; those that do are embedding"):
        await world.choose(facts(text=TEXT, embedding=VECTOR), DENSE, field="text")
    with pytest.raises(NotSearchable, match="no field 'embeddings'; did you mean 'embedding'"):
        await world.choose(facts(text=TEXT, embedding=VECTOR), DENSE, field="embeddings")


async def test_fields_that_not_all_indices_have_alike_are_told(world: World) -> None:
    mappings = {"a": {"properties": {"v": VECTOR}}, "b": {"properties": {"v": {**VECTOR, "dimension": 7}}}}
    known = attrs.evolve(facts(text=TEXT), index="both", others=tuple(other_fields(mappings, {})))
    with pytest.raises(NotSearchable, match=r"have alike \(there are v \(knn_vector, 384 .*\) in a, v .* in b\)"):
        await world.choose(known, DENSE)


async def test_an_index_whose_vectors_cannot_be_searched_is_told(world: World) -> None:
    known = attrs.evolve(facts(embedding=VECTOR, weights=WEIGHTS), knn=False)
    with pytest.raises(NotSearchable, match=r"was made without the setting index.knn, .*: copy the documents into"):
        await world.choose(known, DENSE)
    assert (await world.choose(known, SPARSE)).field.name == "weights"


async def test_an_index_without_vectors_is_told_what_to_make_and_to_install(world: World) -> None:
    with pytest.raises(NotSearchable, match=r"no field of vectors \(.*\): make an index .* ml.indices.create_for"):
        await world.choose(facts(text=TEXT), DENSE)
    with pytest.raises(NotSearchable, match=r"and the cluster has no k-NN plugin: install opensearch-knn on"):
        await world.choose(facts(Plugins(knn=False, neural_search=False), text=TEXT), DENSE)
    with pytest.raises(NotSearchable, match=r"sparse_vector or semantic\): make an index"):  # weights need no plugin
        await world.choose(facts(Plugins(knn=False, neural_search=False), text=TEXT), SPARSE)


# ---- the field of texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "wanted", "expected", "why"),
    [
        ({"text": TEXT}, {}, "text", "its only field of plain text"),
        ({"text": DYNAMIC}, {}, "text", "its only field of texts"),
        ({"text": TEXT, "book": DYNAMIC}, {}, "text", "its only field of plain text"),
        ({"text": TEXT, "title": TEXT}, {"text_field": "title"}, "title", "as text_field says"),
        ({"text": {**TEXT, "fields": {"en": TEXT}}}, {"text_field": "text.en"}, "text.en", "as text_field says"),
        ({"text": TEXT, "title": TEXT}, {}, None, r"several fields of texts \(text, title\); name one by text_field="),
        ({"text": TEXT}, {"hybrid": False}, None, "as hybrid=False says"),
        ({}, {}, None, "the index has no field of texts"),
    ],
)
async def test_words_are_searched_as_well_where_one_field_has_them(
    world: World, fields: Any, wanted: Any, expected: str | None, why: str
) -> None:
    found = await world.choose(facts(embedding=VECTOR, **fields), DENSE, **wanted)
    assert (found.text_field and found.text_field.name) == expected
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(found.reasons[-1])


async def test_hybrid_where_that_is_impossible_is_refused(world: World) -> None:
    with pytest.raises(NotSearchable, match="hybrid=True: vectors only: the index has no field of texts"):
        await world.choose(facts(embedding=VECTOR), DENSE, hybrid=True)
    with pytest.raises(NotSearchable, match=r"hybrid=True: .* for hybrid queries install opensearch-neural"):
        await world.choose(facts(KNN_ONLY, embedding=VECTOR, text=TEXT), DENSE, hybrid=True)
    with pytest.raises(NotSearchable, match="no field 'txt'; did you mean 'text'"):
        await world.choose(facts(embedding=VECTOR, text=TEXT), DENSE, text_field="txt")
    with pytest.raises(NotSearchable, match=r"field embedding \(.*\) holds no texts; give a field of texts"):
        await world.choose(facts(embedding=VECTOR, text=TEXT), DENSE, text_field="embedding")


# ---- the query of the vectors ----------------------------------------------------------------------------------------


async def test_the_server_embeds_the_text_or_the_client_does(world: World) -> None:
    wanted = {"k": 7, "filter": {"term": {"book": "p"}}}
    options = {"query_text": "a text", "model_id": world.models[DENSE], **wanted}
    assert await world.query(facts(v=VECTOR), DENSE, **wanted) == ("neural", {"neural": {"v": options}})
    kind, query = await world.query(facts(KNN_ONLY, v=VECTOR), DENSE, **wanted)
    assert kind == "knn"
    vector = (await world.ml.embed_one(world.models[DENSE], "a text")).tolist()
    assert query == {"knn": {"v": {"vector": vector, **wanted}}}


async def test_scores_are_combined_by_the_first_search_pipeline_that_is_named(world: World) -> None:
    fields: dict[str, Any] = {"embedding": VECTOR, "text": TEXT}
    own = OwnPipelines((), "s", (), combines=True)
    asked = Wanted("docs", "a text", DENSE)
    plan = await plan_by(world.ml, facts(**fields), asked)
    assert (plan.kind, plan.search_pipeline) == ("hybrid neural", COMBINED)
    words, vectors = plan.query["hybrid"]["queries"]
    assert words == {"match": {"text": {"query": "a text"}}}
    assert list(vectors) == ["neural"]
    plan = await plan_by(world.ml, attrs.evolve(facts(**fields), pipelines=own), asked)
    assert plan.search_pipeline is None
    assert "scores combined by s, the search pipeline of the index" in plan.reasons
    plan = await plan_by(world.ml, attrs.evolve(facts(**fields), pipelines=attrs.evolve(own, combines=False)), asked)
    assert plan.search_pipeline == COMBINED
    assert plan.reasons[-1].endswith("in place of s, the search pipeline of the index, which combines none")
    pipelines: list[Any] = ["mine", {"phase_results_processors": []}]
    for given in pipelines:
        named = attrs.evolve(asked, search_pipeline=given, filter={"term": {"a": 1}})
        plan = await plan_by(world.ml, attrs.evolve(facts(**fields), pipelines=own), named)
        assert plan.search_pipeline == given
    assert plan.query["hybrid"]["queries"][0]["bool"]["filter"] == [{"term": {"a": 1}}]


async def test_weights_are_asked_of_the_server_or_of_the_model(world: World) -> None:
    model_id = world.models[SPARSE]
    kind, query = await world.query(facts(w=WEIGHTS), SPARSE)
    assert (kind, query) == ("neural_sparse", {"neural_sparse": {"w": {"query_text": "a text", "model_id": model_id}}})
    kind, query = await world.query(facts(KNN_ONLY, w=WEIGHTS), SPARSE, filter={"term": {"a": 1}})
    (weights,) = await world.ml.sparse(model_id, ["a text"])
    assert kind == "rank_feature"
    clauses = query["bool"]["must"][0]["bool"]["should"]
    assert {clause["rank_feature"]["field"]: clause["rank_feature"]["boost"] for clause in clauses} == {
        f"w.{token}": weight for token, weight in weights.items() if "." not in token
    }
    assert query["bool"]["filter"] == [{"term": {"a": 1}}]


async def test_vectors_within_nested_objects_are_searched_there(world: World) -> None:
    nested = {"type": "nested", "properties": {"knn": VECTOR}}
    _, query = await world.query(facts(chunks=nested), DENSE)
    inner = {"neural": {"chunks.knn": {"query_text": "a text", "model_id": world.models[DENSE], "k": 100}}}
    assert query == {"nested": {"path": "chunks", "score_mode": "max", "query": inner}}


async def test_words_within_nested_objects_are_searched_there(world: World) -> None:
    known = facts(v=VECTOR, chunks={"type": "nested", "properties": {"text": TEXT}})
    plan = await plan_by(world.ml, known, Wanted("docs", "a text", DENSE, text_field="chunks.text"))
    words = {"match": {"chunks.text": {"query": "a text"}}}
    first, _ = plan.query["hybrid"]["queries"]
    assert first == {"nested": {"path": "chunks", "score_mode": "max", "query": words}}
    assert plan.text_field == "chunks.text"


async def test_a_sparse_vector_gets_the_number_of_hits_as_its_parameter(world: World) -> None:
    _, query = await world.query(facts(v={"type": "sparse_vector"}), SPARSE, size=200)
    assert query["neural_sparse"]["v"]["method_parameters"] == {"k": 200}
