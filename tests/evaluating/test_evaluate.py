"""``ml.evaluate`` on an emulator: which systems it measures, what it asks of the cluster, and what it refuses."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import FileModel, InvalidRequest, NotSearchable, Progress, Session
from aiomlcommons.api.common import Hits
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.evaluating import Evaluation, Searched
from aiomlcommons.evaluating.judgments import judgments_of
from aiomlcommons.ingest import IndexSink
from tests.support.paths import CORPUS, MODELS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
QUERIES, JUDGMENTS = CORPUS.with_name("wisdom-queries.jsonl"), CORPUS.with_name("wisdom-judgments.tsv")
MODEL = "all-MiniLM-L6-v2"
TINY = FileModel(
    path=MODELS / "tiny-dense.zip",
    name="tiny",
    model_config=ModelConfig(
        model_type="bert", embedding_dimension=16, framework_type="sentence_transformers", all_config="{}"
    ),
)
TEXTS = {"q1": "a soft answer", "q2": "the ant"}
GRADES = {"q1": {"answer": 1}, "q2": {"ant": 1}}
ROWS = [
    {"id": "ant", "of": "book", "text": "Go to the ant, thou sluggard; consider her ways, and be wise."},
    {"id": "answer", "of": "book", "text": "A soft answer turneth away wrath."},
    {"id": "born", "of": "other", "text": "A time to be born, and a time to die."},
]


@pytest_asyncio.fixture
async def served() -> AsyncGenerator[ServedEmulator]:
    """Yield an emulator with a model, and an index of three texts with their vectors."""
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        await fill(ml, "docs", MODEL, ROWS)
        yield ServedEmulator(emulated, url, ml)


@pytest_asyncio.fixture
async def ml() -> AsyncGenerator[Session]:
    """Yield a session without a cluster, for systems that are functions."""
    async with Session("http://127.0.0.1:9", backoff=NOW) as found:
        yield found


async def fill(ml: Session, index: str, model: Any, rows: Sequence[dict[str, Any]]) -> str:
    """Make an index with the vectors of a model; return the id of the model."""
    model_id = (await ml.models.ensure(model, backoff=NOW)).model_id
    await ml.indices.create_for(model_id, index=index)
    await ml.ingest(rows, model=model_id, sink=IndexSink(ml, index))
    return model_id


async def test_a_worse_model_is_found_out_on_the_corpus(served: ServedEmulator) -> None:
    ml = served.ml
    judged = {document for grades in judgments_of(JUDGMENTS).values() for document in grades}
    verses = [orjson.loads(line) for line in CORPUS.read_bytes().splitlines()]
    verses = [verse for number, verse in enumerate(verses) if verse["id"] in judged or number % 10 == 0]
    systems = {
        "old": Searched("verses-old", model=await fill(ml, "verses-old", MODEL, verses), hybrid=False),
        "new": Searched("verses-new", model=await fill(ml, "verses-new", TINY, verses), hybrid=False),
    }
    result = await ml.evaluate(QUERIES, JUDGMENTS, systems)

    assert isinstance(result, Evaluation)
    assert result["old"]["ndcg@10"] > 0.9 > 0.7 > result["new"]["ndcg@10"]
    difference = result.differences["new"]["ndcg@10"]
    assert difference.mean == pytest.approx(result["new"]["ndcg@10"] - result["old"]["ndcg@10"])
    assert difference.low < difference.mean < difference.high < 0
    assert difference.better + difference.worse + difference.same == len(result.texts) == 40
    assert result.require(["ndcg@10 >= old - 0.9", "recall@10 >= 0.2"]) == []
    (words,) = result.require("ndcg@10 >= old - 0.02")
    assert words.startswith("ndcg@10 >= old - 0.02: ndcg@10 of new is 0.")
    assert result.require("ndcg@10 >= new + 0.1", system="old") == []
    table = str(result).splitlines()
    assert table[0].split()[:3] == ["metric", "old", "new"]
    assert "new is worse than old in ndcg@10, beyond chance" in table
    change = result.changes("ndcg@10")[0]
    assert (change.before, change.after) == (1.0, 0.0)
    assert f"new lost ndcg@10 1.00 -> 0.00 for the query {change.text!r}" in table


async def test_every_kind_of_system(served: ServedEmulator) -> None:
    ml = served.ml
    called: list[int] = []

    async def async_ids(text: str) -> list[str]:
        return ["answer" if "answer" in text else "ant"]

    async def hits(text: str) -> Hits[Any]:
        return await ml.search("docs", {"match": {"text": text}}, size=1)

    def in_a_thread(text: str) -> list[str]:
        called.append(threading.get_ident())
        return ["born", "ant", "born", "answer"]

    systems: dict[str, Any] = {
        "searched": Searched("docs", model=MODEL),
        "async": async_ids,
        "hits": hits,
        "thread": in_a_thread,
        "known": {"q1": ["answer"], "q2": []},
    }
    result = await ml.evaluate(TEXTS, GRADES, systems, k=(1, 3))
    recalls = {name: (figures["recall@1"], figures["mrr@3"]) for name, figures in result.items()}
    assert recalls == {
        "searched": (1.0, 1.0),
        "async": (1.0, 1.0),
        "hits": (1.0, 1.0),
        "thread": (0.0, pytest.approx((1 / 3 + 1 / 2) / 2)),  # an id counts once, where it is first
        "known": (0.5, 0.5),
    }
    assert threading.get_ident() not in called
    assert result["known"].nothing == 1
    assert str(result).count("nothing found") == 4
    assert result["thread"].found["q1"] == ["born", "ant", "answer"]


async def test_an_index_that_names_its_model_is_a_system_by_its_name(served: ServedEmulator) -> None:
    ml = served.ml
    model_id = (await ml.models.ensure(MODEL, backoff=NOW)).model_id
    pipeline = {"processors": [{"text_embedding": {"model_id": model_id, "field_map": {"text": "embedding"}}}]}
    await ml.request("PUT", "/_ingest/pipeline/embeds", body=pipeline)
    await ml.request("PUT", "/docs/_settings", body={"index.default_pipeline": "embeds"})
    result = await ml.evaluate(TEXTS, GRADES, {"now": "docs"})
    assert result["now"]["recall@10"] == 1.0
    assert result.differences == {}
    assert result.table.splitlines()[0].split() == ["metric", "now"]


async def test_documents_are_told_apart_by_the_field_that_was_judged(served: ServedEmulator) -> None:
    system = Searched("docs", model=MODEL, id="of", hybrid=False)
    result = await served.ml.evaluate({"q": "the ant"}, {"q": ["book"]}, {"chunks": system}, k=2)
    # Of two chunks of the book the second one is on the next page, and takes no place.
    assert result["chunks"].found == {"q": ["book", "other"]}
    with pytest.raises(InvalidRequest, match=r"of docs has no field 'parent\.id', which id= names") as raised:
        system = Searched("docs", model=MODEL, id="parent.id")
        await served.ml.evaluate({"q": "the ant"}, {"q": ["book"]}, {"chunks": system})
    assert raised.value.__notes__ == ["in the search of chunks for the query 'q'"]


async def test_what_does_not_depend_on_the_text_is_asked_once(
    served: ServedEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    many = {f"q{number}": "the ant" for number in range(20)}
    with caplog.at_level(logging.DEBUG, "aiomlcommons"):
        await served.ml.evaluate(many, {key: ["ant"] for key in many}, {"old": Searched("docs", model=MODEL)})
    asked = [record.message.split()[1] for record in caplog.records]
    assert asked.count("/docs/_search") == 20
    assert len(asked) < 35


async def test_queries_that_tell_nothing_are_left_out_and_counted(ml: Session) -> None:
    judgments = {**GRADES, "q3": {"born": 0}, "q9": {"ant": 1}}
    result = await ml.evaluate({**TEXTS, "q3": "born", "q4": "die"}, judgments, {"a": lambda text: ["ant"]})
    assert (list(result.texts), result.without_judgments, result.without_relevant) == (["q1", "q2"], 1, 1)
    assert "2 queries; left out: 1 without judgments, 1 without a relevant document" in str(result)


async def test_what_was_not_judged_is_said_where_it_may_mislead(ml: Session) -> None:
    judgments = {key: {"a": 1, "b": 0, "c": 0} for key in TEXTS}
    systems: Any = {"old": lambda text: ["a", "b", "c"], "new": lambda text: ["x", "y", "a"]}
    words = "fewer of the documents that new found were judged (33%, 100% of those of old)"
    assert words in str(await ml.evaluate(TEXTS, judgments, systems))
    assert words not in str(await ml.evaluate(TEXTS, {key: ["a"] for key in TEXTS}, systems))


async def test_the_result_is_data_html_and_markdown(ml: Session) -> None:
    systems: Any = {"old": lambda text: ["ant"], "<n|w>": lambda text: ["answer", "ant"]}
    result = await ml.evaluate(TEXTS, GRADES, systems, k=2)
    data = orjson.loads(result.to_json())
    assert data == orjson.loads(orjson.dumps(result.to_dict()))
    assert data["queries"] == 2
    assert data["systems"]["old"]["recall@2"] == 0.5
    assert data["differences"]["<n|w>"]["recall@2"]["better"] == 1
    assert "by_query" not in data
    of_query = result.to_dict(by_query=True)["by_query"]["q1"]
    assert of_query["systems"]["<n|w>"]["found"] == ["answer", "ant"]
    assert of_query["systems"]["<n|w>"]["mrr@2"] == 1.0
    assert "&lt;n|w&gt;" in result._repr_html_()
    assert "<n|w>" not in result._repr_html_()
    assert result.to_markdown().splitlines()[0].startswith("| metric | old | <n\\|w> | <n\\|w> - old |")
    assert repr(result).startswith("Evaluation(queries=2, old=Figures(name='old', recall@2=0.5,")
    assert result.first == "old"
    assert result.last == "<n|w>"
    assert len(result) == 2
    assert len(result["old"]) == 4
    with pytest.raises(KeyError, match="'olb'; did you mean 'old'"):
        result["olb"]
    with pytest.raises(KeyError, match=r"'recall@3'; did you mean 'recall@2'"):
        result["old"]["recall@3"]
    with pytest.raises(InvalidRequest, match=r"'ndcg' was not measured: 'ndcg'; did you mean 'ndcg@2'"):
        result.changes("ndcg")


async def test_progress_is_told(ml: Session) -> None:
    told: list[Progress] = []
    await ml.evaluate(TEXTS, GRADES, {"a": lambda text: ["ant"], "b": lambda text: []}, progress=told.append)
    assert told[-1].phase == "evaluating"
    assert told[-1].counted == "4 of 4 searches"
    assert told[-1].name == "a, b"


async def test_an_error_of_a_system_ends_the_evaluation(ml: Session) -> None:
    async def fails(text: str) -> list[str]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError) as raised:
        await ml.evaluate(TEXTS, GRADES, {"a": fails}, concurrency=1)
    assert raised.value.__notes__ == ["in the search of a for the query 'q1'"]


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (({"q": "a"}, GRADES, {"a": "docs"}), {}, "no query has a judgment: the ids of the queries are 'q', those of"),
        ((TEXTS, {"q1": {"a": 0}}, {"a": "docs"}), {}, "no query has a relevant document: its grade must be above 0"),
        ((TEXTS, GRADES, {}), {}, "systems: there is none"),
        ((TEXTS, GRADES, ["docs"]), {}, "systems must be a mapping from names to what is evaluated, not"),
        ((TEXTS, GRADES, {" ": "docs"}), {}, "systems: a name must be a text with a word in it, not ' '"),
        ((TEXTS, GRADES, {"a": 7}), {}, "systems['a'] must be the name of an index, a Searched, a function"),
        (
            (TEXTS, GRADES, {"a": {"q1": []}}),
            {},
            "systems['a'] has no query 'q2'; give an empty list where nothing was found",
        ),
        ((TEXTS, GRADES, {"a": lambda text: "ant"}), {}, "systems['a'] must find a list of ids or of hits, not"),
        ((TEXTS, GRADES, {"a": lambda text: [7]}), {}, "systems['a'] must find ids, which are texts, or hits, not"),
        ((TEXTS, GRADES, {"a": "docs"}), {"k": 0}, "k must be a whole number of at least 1, not 0"),
        ((TEXTS, GRADES, {"a": "docs"}), {"k": [1, None]}, "k must be a whole number of at least 1, not"),
        ((TEXTS, GRADES, {"a": "docs"}), {"k": "10"}, "k must be a whole number of at least 1, or a list of such"),
        ((TEXTS, GRADES, {"a": "docs"}), {"concurrency": 0}, "concurrency must be a whole number of at least 1"),
        ((TEXTS, GRADES, {"a": "docs"}), {"concurrency": None}, "concurrency must be a whole number of at least 1"),
    ],
)
async def test_what_cannot_be_evaluated_is_said_with_the_remedy(
    ml: Session, arguments: Any, options: Any, says: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await ml.evaluate(*arguments, **options)
    assert says in str(raised.value)


async def test_an_index_that_cannot_be_searched_is_said_before_the_first_search(served: ServedEmulator) -> None:
    called: list[str] = []

    def first(text: str) -> list[str]:
        called.append(text)
        return []

    with pytest.raises(NotSearchable, match="there is no index 'dogs'; did you mean 'docs'"):
        await served.ml.evaluate(TEXTS, GRADES, {"old": first, "new": Searched("dogs", model=MODEL)})
    assert called == []


async def test_options_of_a_search_are_checked_where_they_are_given() -> None:
    with pytest.raises(InvalidRequest, match="k must be a whole number of at least 1, not 0"):
        Searched("docs", k=0)
    with pytest.raises(InvalidRequest, match="filter must have one kind of query"):
        Searched("docs", filter={})
    with pytest.raises(TypeError, match="index must be a string, not 7"):
        Searched(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
