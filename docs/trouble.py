"""Generate ``trouble.md`` from the trouble table: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from aiomlcommons.trouble.table import TABLE, Kind, Trouble

PAGE = Path(__file__).with_name("trouble.md")

HEAD = """# The trouble table: classification of errors

`make docs` generates this page from `aiomlcommons.trouble.table`. Servers report one cause under many statuses and
messages: recovering shards are 404 on one route and 500 on another. So a response of 300 and above, and the error of a
failed task, are classified by exception types, at any depth, and by message text only where there is no type. Calls,
tasks, `ml.models.ensure` and bulk jobs share the result:

```python
try:
    await ml.embed_many(model_id, texts)
except ApiError as error:
    print(error.trouble.kind, error.trouble.party, error.transient)
```

| kind | what helps | calls | `ensure` and bulk jobs |
|---|---|---|---|
| passes (transient) | backoff: a node starts, shards recover, memory is short | retried (`retries`, `wait`) | retried |
| throttled | backoff, and less concurrency | the same | retried, with less concurrency |
| race (a version conflict) | reading again: another client wrote too | raised; `ml.task` follows the winner | retried |
| not ready | deploying the model: no node has loaded it (yet) | `ModelNotReady` | deployed |
| unclear | perhaps a retry: it is unknown whose fault it is | raised | retried, then the batch is bisected |
| final (permanent) | another request | raised | raised, or a dead letter |

Rows are tried from the top, and the first match counts. A text after "Error from remote service" is the message of a
model's provider, and is matched against the provider's rows only. Without a match the status decides: 429 is throttled,
502, 503 and 504 pass, other statuses from 500 on are unclear, and the rest is final. A memory circuit breaker that
reports itself as permanent is final, unless it is the parent breaker.

| sign | kind | whose fault | evidence |
|---|---|---|---|
"""


def page() -> str:
    """Return the content of the page."""
    return HEAD + "".join(map(_line, TABLE))


def _line(row: Trouble) -> str:
    return f"| `{row.sign}` | {Kind(row.kind)} | {row.party} | {row.source} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
