"""Write ``errors.md``, what helps against each error, from the classes: ``make docs``."""

from __future__ import annotations

import inspect
import pkgutil
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import groupby
from pathlib import Path

import aiomlcommons
from aiomlcommons.errors import MLCommonsError

PAGE = Path(__file__).with_name("errors.md")

HEAD = """# Errors, and what helps

`make docs` writes this page from the classes of errors: {count} of them, all of which are `MLCommonsError`.

```python part
from aiomlcommons import ApiError, MLCommonsError

try:
    vectors = await ml.embed_many(model, texts)
except ApiError as error:
    print(error.status, error.type, error.reason)      # what the server said
    print(error.trouble.kind, error.trouble.party)     # what kind of error it is, and whose
except MLCommonsError as error:
    print(error)                                       # what is wrong, and what to do
```

The message of an error names the field, file or setting that is at fault, and the remedy where one is known; it ends
with the `x-opaque-id` of its request, by which the server's logs can be searched. `error.transient` says whether the
same call is likely to succeed a little later: a session has retried such errors already, as often as its `retries` and
`wait` say, and `error.attempts` counts. `error.retry_after` is how many seconds the server asks to wait. Wrong types
are a `TypeError`, wrong values an `InvalidRequest`, which is a `ValueError` as well: both come before anything is sent.
[The trouble table](trouble.md) says how responses are classified, and a bulk job turns what a document is to blame for
into a [dead letter](ingest.md) instead of an error.
"""

TITLES = {
    "errors": "Errors of a call",
    "waiting": "Errors of a task",
    "lifecycle": "Errors of `ml.models.ensure` and the like",
    "inference": "Errors of a batch",
    "ingest": "Errors of a bulk job",
    "indices": "Errors of indices",
    "searching": "Errors of searches",
    "reembedding": "Errors of re-embedding",
    "integrations": "Errors of integrations",
}

# What helps, by class. A class without an entry makes `make docs` fail.
REMEDIES: Mapping[str, str] = {
    "MLCommonsError": "The base of all others: catch it to catch everything that this package finds wrong.",
    "InvalidRequest": "Correct the field that the message names. Nothing was sent.",
    "NotSupported": "Use what the message names in its place, or a server that has it. `compat=` of `Session` is for "
    "servers whose version cannot be asked for.",
    "SessionClosed": "Use the session inside its `async with`, on the event loop that opened it; a worker process "
    "opens one of its own.",
    "NoCredentials": "Give `auth=`, or what the message misses: the AWS profile, its region, or a login that has "
    "ended.",
    "ConnectError": "See that the URL, the port and the scheme are right and the cluster runs; for an untrusted "
    "certificate give `ca_certs=` or `fingerprint=`. If `.sent` is False, nothing can have happened on the server.",
    "RequestTimeout": "Raise `timeout=`, or send less at once. The server may still work on it: read before writing "
    "again.",
    "ResponseTooLarge": "Ask for less (fewer hits, fewer fields), or raise `max_response_bytes=`.",
    "DecodeError": "`.response` is what came: perhaps a proxy answers in the cluster's place, or a connector's "
    "`post_process_function` is wrong.",
    "NotOpenSearch": "Correct the URL: what answers there is named in the message.",
    "ApiError": "The base of all error responses; its message is the server's reason.",
    "Redirected": "Open the session with the URL of the cluster itself: redirects are not followed.",
    "BadRequest": "Correct what the server's reason names.",
    "ModelNotReady": "`await ml.models.ensure(model)` deploys it, and waits until it answers.",
    "Unauthorized": "Correct user name, password or token; where `trouble.party` is `provider`, the credential in the "
    "connector.",
    "Forbidden": "Give the user the permission that the message names, or enable the feature or the model; where "
    "`trouble.party` is `provider`, give the rights there. `aiomlcommons doctor` lists what is missing.",
    "FeatureDisabled": "`await ml.settings.put(persistent={error.setting: True})`.",
    "NotFound": "See that the id is right and nobody has deleted it. Right after a write, a search may not find it "
    "yet.",
    "Conflict": "Undeploy or detach what still uses it; after a version conflict read again and repeat.",
    "TooManyRequests": "Send less at once, and wait `retry_after` seconds; a memory breaker opens again when models "
    "are undeployed or the heap is larger.",
    "QuotaExceeded": "Raise the limit at the model's provider, or pay. Waiting does not help.",
    "ServerError": "See the server's log at the `x-opaque-id`. `trouble.kind` says whether a repetition may help.",
    "Unavailable": "Wait: `Session(wait=60)` waits out a restart and shards that recover.",
    "StreamFailed": "Its text is the server's; `transient` says whether to begin the stream again.",
    "StreamCut": "Begin the stream again: what came is incomplete. A proxy with a short timeout may have closed it.",
    "BatchFailed": "`cause` is the error of the batch, `row` the row at fault, if it is one; `start` is where to go "
    "on.",
    "TaskFailed": "`node_errors` has the reason of each node, and the message the remedy where one is known.",
    "TaskStalled": "Start the job again: the node that ran it was restarted or has left.",
    "NotRegistered": "Do what the message says; `ensure` may be repeated, and goes on where it was.",
    "NotDeployed": "See the errors of the nodes in the message, or accept some nodes with `allow_partial=True`.",
    "NoSuchModel": "Correct the name (the message names near ones); `ml.models.pretrained()` lists those of "
    "OpenSearch.",
    "NotComplete": "Allow more attempts or time with `backoff=`: what was begun goes on at the server.",
    "BadPackage": "Correct the file as the message says: it names the file and the defect.",
    "NotDownloaded": "Do what the message says: log in to the hub, accept the model's terms, or check the network.",
    "FileChanged": "Upload again, while nobody writes to the file.",
    "BlockedBySetting": "Let it change the setting with `change_settings=True`, or change `.remedy` yourself; "
    "`await ml.settings.allow_first_model()` sets what a cluster for trying needs.",
    "SourceError": "Correct the file, or the place in it, that the message names.",
    "SinkError": "Make room, or correct the path or the index that the message names; then resume.",
    "WrongJob": "Give the options that the checkpoint was made with, or another `checkpoint=`.",
    "SeenError": "Do what the message says of the file of seen ids.",
    "JobUnderWay": "Wait for the process that runs the job, or end it.",
    "CacheError": "Make room, or remove the file that the message names: the vectors in it are made again.",
    "BadVector": "The model of the job has been replaced, or answers nothing for a text: make a new output.",
    "TooManyFailures": "Correct what the most frequent reason names, and resume, or raise `max_failures=`.",
    "ModelFails": "Mend the model, not the documents: `await ml.embed_one(model, 'a text')` fails as well.",
    "JobStalled": "Once the cluster answers again, the same call resumes, if the job has a checkpoint.",
    "JobStopped": "The same call resumes the job, if it has a checkpoint.",
    "RowsLost": "Report it: it is a bug in this package.",
    "IndexMismatch": "Change the mapping as the message says, or name another index: `ml.indices.create_for(model, "
    "...)` makes one that fits.",
    "NotSearchable": "Do what the message says: another field, another model, or a plugin that is missing.",
    "WrongDocument": "Give the class a field of the type that documents have; `.hit` is the document as a dict.",
    "ReembeddingError": "The base of the errors of `ml.reembed`; the message has the reason and the remedy.",
    "ForeignVersions": "Let writers leave the versions to OpenSearch while a job runs, or stop them meanwhile.",
    "CannotReembed": "Do what the message says of the index, its alias or the model. Nothing was changed.",
    "WrongRun": "Give the options that the run was begun with, or another name for the new index.",
    "AnotherRun": "Wait for the other process, or end it: the same call goes on afterwards.",
    "NotSwitched": "See `.report`: the new model is not as good as `require=` wants. The old index still serves.",
    "RowsFailed": "`rows` and `ids` are at fault, `why` is the first reason.",
}
# What belongs to a command or to a test, and is documented there.
ELSEWHERE = {"cli", "emulator"}


def classes() -> list[type[MLCommonsError]]:
    """Return the errors of the package, each after those that it is derived from."""
    for found in pkgutil.walk_packages(aiomlcommons.__path__, "aiomlcommons."):
        if found.name.endswith(".errors") and found.name.split(".")[1] not in ELSEWHERE:
            import_module(found.name)
    named = [cls for cls in _below(MLCommonsError) if cls.__module__.startswith("aiomlcommons.")]
    return [cls for cls in dict.fromkeys(named) if _room(cls) not in ELSEWHERE and not cls.__name__.startswith("_")]


def _below(cls: type[MLCommonsError]) -> Iterator[type[MLCommonsError]]:
    yield cls
    for one in cls.__subclasses__():
        yield from _below(one)


def _room(cls: type) -> str:
    return cls.__module__.split(".")[1]


def page() -> str:
    """Return the text of the page. Raises KeyError for a class without a remedy, or of a room without a title."""
    found = sorted(classes(), key=lambda cls: list(TITLES).index(_room(cls)))
    parts = [HEAD.format(count=len(found))]
    for room, some in groupby(found, _room):
        parts += [f"\n## {TITLES[room]}\n", *map(_entry, some)]
    return "".join(parts)


def _entry(cls: type[MLCommonsError]) -> str:
    meaning = inspect.cleandoc(cls.__doc__ or "").split("\n\nAttributes:")[0].replace("``", "`")
    words = f"{meaning}\n\n**What helps:** {REMEDIES[cls.__name__]}"
    filled = "\n\n".join(
        textwrap.fill(part, 120, break_long_words=False, break_on_hyphens=False) for part in words.split("\n\n")
    )
    return f"\n### {cls.__name__}\n\n{filled}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
