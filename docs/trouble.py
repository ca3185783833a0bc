"""Generate ``trouble.md`` from the trouble table: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from aiomlcommons.trouble.kinds import Kind, Trouble
from aiomlcommons.trouble.providers import ProviderTrouble
from aiomlcommons.trouble.table import TABLE

PAGE = Path(__file__).with_name("trouble.md")

HEAD = """# The trouble table: classification of errors

`make docs` generates this page from `aiomlcommons.trouble`. Servers report one cause under many statuses and
messages: recovering shards are 404 on one route and 500 on another. So a response of 300 and above, and the error of a
failed task, are classified by exception types, at any depth, and by message text only where there is no type. Calls,
tasks, `ml.models.ensure` and bulk jobs share the result:

```python part
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
| quota | raising a limit at the model's provider, or paying | `QuotaExceeded` | the job ends, and can be resumed |
| credential | correcting a connector's credential or rights; or yours (AWS) | `Unauthorized`, `Forbidden` | the same |
| missing | correcting the connector: its provider has no such model | `NotFound` | the same |
| too long | sending less | raised | the batch is bisected, down to a dead letter |
| document | leaving the text out: the provider refuses its content | raised | the same |
| unclear | perhaps a retry: it is unknown whose fault it is | raised | retried, then the batch is bisected |
| final (permanent) | another request | raised | raised, or a dead letter |

Rows are tried from the top, and the first match counts. A text after "Error from remote service" is the message of a
model's provider, and is matched against the rows of providers only. Without a match the status decides: 413 is too
long, 429 is throttled, 502, 503 and 504 pass, other statuses from 500 on are unclear, and the rest is final. Of a
provider, also 401 is a matter of its credential, 402 of its quota, 404 of its model; 408 and 424 are unclear, 520 to
524 and 530 pass, and 529 is throttled. A memory circuit breaker that reports itself as permanent is final, unless it is
the parent breaker.

| sign | kind | whose fault | evidence |
|---|---|---|---|
"""

PROVIDERS = """
## The providers of remote models

ML Commons passes on a provider's body, and mostly its status. What means "slow down" is never taken for a bad document:
such a request is sent again, whole, with less concurrency. A row is known by its code (the value of `code`, `type`,
`status` or `reason`, at any depth), or by the beginning of a message. `...` stands for any text, case does not matter,
and the status is the usual one, for information. Delays such as "Please try again in 20s" are kept as `retry_after`.

A status that OpenSearch does not know (498, 520, 529, 530) reaches no client: the cluster (seen on 3.8) never answers
such a request, which ends as a `RequestTimeout`.

Each row has an example in `tests/support/provider_examples.py`, and its test is that of
`tests/trouble/test_providers.py` with the name in the last column.

| provider | words | code | status | kind | source | test |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the content of the page."""
    rows = [row for row in TABLE if not isinstance(row, ProviderTrouble)]
    providers = [row for row in TABLE if isinstance(row, ProviderTrouble)]
    return HEAD + "".join(map(_line, rows)) + PROVIDERS + "".join(map(_provider_line, providers))


def _line(row: Trouble) -> str:
    return f"| `{row.sign}` | {Kind(row.kind)} | {row.party} | {row.source} |\n"


def _provider_line(row: ProviderTrouble) -> str:
    cells = (row.provider, _quoted(row.words), _quoted(row.code), row.status, row.kind, row.source, _quoted(row.name))
    return f"| {' | '.join(map(str, cells))} |\n"


def _quoted(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


if __name__ == "__main__":
    PAGE.write_text(page())
