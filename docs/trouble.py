"""Write ``trouble.md``, the table of trouble, from the table itself: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from aiomlcommons.trouble.table import TABLE, Kind, Trouble

PAGE = Path(__file__).with_name("trouble.md")

HEAD = """# Trouble, and what helps

`make docs` writes this page from `aiomlcommons.trouble.table`. Servers report one cause under many statuses and words:
shards that recover are 404 on one route and 500 on another. So an answer of 300 and above, and the error of a failed
task, are judged by the types of the exceptions wherever they stand in them, and by words where there is no type. Calls,
tasks, `ml.models.ensure` and bulk jobs all go by the result:

```python
try:
    await ml.embed_many(model_id, texts)
except ApiError as error:
    print(error.trouble.kind, error.trouble.party, error.transient)
```

| kind | what helps | calls | `ensure` and bulk jobs |
|---|---|---|---|
| passes | waiting: a node starts, shards recover, memory is short | repeated; see `retries`, `wait` | wait |
| throttled | asking later, and fewer at once | the same | wait, and ask for less |
| race | looking again: somebody else wrote the same thing | raised; `ml.task` follows the winner | look again |
| not ready | deploying the model: no node has it (yet) | `ModelNotReady` | deploy it |
| unclear | perhaps another try: nothing tells whose fault it is | raised | try again, then halve the batch |
| final | another request | raised | raised, or a dead letter |

Rows are tried from the top, and the first one that fits counts. What follows "Error from remote service" are the words
of a model's provider, judged by the provider's rows alone. Without a row the status tells: 429 is throttled, 502, 503
and 504 pass, another one from 500 on is unclear, the rest is final. A memory breaker that calls itself permanent is
final, unless it is the parent breaker.

| sign | kind | whose | known from |
|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    return HEAD + "".join(map(_line, TABLE))


def _line(row: Trouble) -> str:
    return f"| `{row.sign}` | {Kind(row.kind)} | {row.party} | {row.source} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
