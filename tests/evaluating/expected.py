"""What trec_eval says of random runs, for ``test_metrics.py``: ``python -m tests.evaluating.expected`` writes it anew.

It needs ir-measures, whose tools need scipy: too much for an extra of the tests. The file has what 0.4.3 said, with
pytrec-eval-terrier 0.5.11, which is trec_eval 9.0.8.
"""

from __future__ import annotations

import random
from typing import Any

import orjson

from tests.support.paths import ROOT

FILE = ROOT / "tests" / "data" / "trec_eval.json"
CUTS = (1, 3, 10)


def cases(count: int = 120) -> list[dict[str, Any]]:
    """Make judgments and runs of 30 documents: graded, some below 0, few or many found, not all of them judged."""
    draw = random.Random(19)  # noqa: S311
    documents = [f"d{number}" for number in range(30)]
    found: list[dict[str, Any]] = []
    while len(found) < count:
        judged = draw.sample(documents, draw.randint(1, 20))
        grades = {document: draw.choice((-1, 0, 0, 1, 1, 2, 3)) for document in judged}
        if any(grade > 0 for grade in grades.values()):
            found.append({"grades": grades, "found": draw.sample(documents, draw.randint(0, 20))})
    return found


def main() -> None:
    """Write the file."""
    import ir_measures  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    made = cases()
    measures = {
        f"{name}@{k}": ir_measures.parse_measure(f"{measure}@{k}")
        for name, measure in {"recall": "R", "ndcg": "nDCG", "mrr": "RR", "judged": "Judged"}.items()
        for k in CUTS
    }
    for case in made:
        qrels = {"q": case["grades"]}
        # The best one has the highest score. A query for which nothing was found is none of a run, and has 0 of all.
        run = {"q": {document: 100 - rank for rank, document in enumerate(case["found"])}} if case["found"] else {}
        said = ir_measures.calc_aggregate(measures.values(), qrels, run)
        case["expected"] = {name: round(float(said[measure]), 9) for name, measure in measures.items()}
    FILE.write_bytes(b"[\n" + b",\n".join(orjson.dumps(case) for case in made) + b"\n]\n")


if __name__ == "__main__":
    main()
