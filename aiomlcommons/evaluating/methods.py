"""``ml.evaluate``: the mixin of a session that measures models and pipelines on the user's own queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from aiomlcommons.client import HasClient
from aiomlcommons.progress.event import Callback
from aiomlcommons.typed import typed

if TYPE_CHECKING:
    from aiomlcommons.evaluating.evaluation import Evaluation
    from aiomlcommons.evaluating.judgments import Judgments
    from aiomlcommons.evaluating.systems import System


class Evaluates(HasClient):
    """Models and pipelines side by side, on the user's own queries."""

    @typed(own="queries judgments systems k concurrency")
    async def evaluate(
        self,
        queries: Mapping[str, str] | Sequence[str] | str | PathLike[str],
        judgments: Judgments | str | PathLike[str],
        systems: Mapping[str, System],
        *,
        k: int | Sequence[int] = 10,
        concurrency: int = 8,
        progress: bool | Callback = False,
    ) -> Evaluation:
        """Measure recall, nDCG and MRR of search systems side by side: ``print(await ml.evaluate(...))``.

        ``result["new"]["ndcg@10"]`` is one figure, ``result.require(["ndcg@10 >= old - 0.02"])`` what is not as
        required, ``result.plot("new.svg")`` a plot. Nothing is written to the cluster. Documents that nobody judged
        count as not relevant, as everywhere; ``judged@10`` tells how many of those found were judged.

        Args:
            queries: Texts by the ids of queries; a list of texts, which are their own ids; or the path of a file:
                .jsonl (``{"_id": ..., "text": ...}``, as BEIR's), .tsv (id and text), or .txt (a text a line).
            judgments: The grades of documents by the ids of queries and documents, or a collection of the relevant
                documents of each query; above 0 is relevant. Or a file: .tsv or .qrels, of three columns with a title
                line (BEIR) or of four (TREC), or .jsonl (``{"query-id": ..., "corpus-id": ..., "score": ...}``).
            systems: What is measured, by name, the present one first: the name of an index or alias, which
                ``ml.search_text`` searches; a Searched, with a model, a field, a search pipeline and more; a function
                from a text to the ids it finds, best first (or to hits), async or run in threads; or the ids found
                earlier, by the ids of the queries.
            k: How many hits count, or several such numbers.
            concurrency: Searches at once.
            progress: True shows how far it is; a function is called with a Progress.

        Raises:
            InvalidRequest: The queries, judgments or systems are none, or have no query in common; or a line of a file
                cannot be read. The message names the place and the remedy.
            NotSearchable, NoSuchModel: As ``ml.search_text`` raises them, before the first search.
            OSError: A file cannot be read.
        """
        from aiomlcommons.evaluating.evaluate import evaluate

        return await evaluate(
            self._session, queries, judgments, systems, k=k, concurrency=concurrency, progress=progress
        )
