"""A new model that is worse on queries whose answers are known: the job says so, and stops before the switch."""

from __future__ import annotations

import orjson
import pytest

from aiomlcommons import FileModel, Session
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.evaluating.judgments import judgments_of
from aiomlcommons.ingest import IndexSink
from aiomlcommons.reembedding.errors import NotSwitched
from tests.support.paths import CORPUS, MODELS
from tests.support.served_emulator import NOW

QUERIES, JUDGMENTS = CORPUS.with_name("wisdom-queries.jsonl"), CORPUS.with_name("wisdom-judgments.tsv")
CONFIG = ModelConfig(model_type="bert", embedding_dimension=16, framework_type="sentence_transformers", all_config="{}")
WORSE = FileModel(path=MODELS / "tiny-dense.zip", name="worse", model_config=CONFIG)


@pytest.mark.asyncio
async def test_a_worse_model_is_not_switched_to() -> None:
    judged = {document for grades in judgments_of(JUDGMENTS).values() for document in grades}
    verses = [orjson.loads(line) for line in CORPUS.read_bytes().splitlines()]
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        old = (await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)).model_id
        new = (await ml.models.ensure(WORSE, backoff=NOW)).model_id
        await ml.indices.create_for(old, index="verses")
        rows = [verse for number, verse in enumerate(verses) if verse["id"] in judged or number % 20 == 0]
        await ml.ingest(rows, model=old, sink=IndexSink(ml, "verses"))
        await ml.indices.update_aliases([AddAlias(index="verses", alias="library")])
        with pytest.raises(NotSwitched, match="library still leads to the old index") as raised:
            await ml.reembed(
                "verses",
                model=new,
                alias="library",
                old_model=old,
                queries=QUERIES,
                judgments=JUDGMENTS,
                require=["ndcg@10 >= old - 0.02", "self@1 >= 0.9"],
                sample=False,
            )
        assert set(await ml.indices.aliases(name="library")) == {"verses"}
    report = raised.value.report
    assert [words.partition(":")[0] for words in report.unmet] == ["ndcg@10 >= old - 0.02"]
    assert report.figures["old"]["ndcg@10"] > 0.9 > report.figures["new"]["ndcg@10"]
    assert "ndcg@10 of new is 0." in report.markdown()
