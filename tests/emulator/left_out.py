"""The recorded exchanges that the emulator is not asked for, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from tests.wire.recordings import Exchange

OWN = ("/_plugins/_ml/", "/_cluster/settings")
OTHERS = "another API's route: the emulator has no indices, pipelines and queries of users"
USERS = "the emulator has no users, so nobody is forbidden anything"
NEWER = "the emulator answers as 3.4 does, and 3.8 answers otherwise"
OLDER = "the emulator answers as 3.4 does, and 2.4 answered otherwise"
BREAKER = "the emulator has no memory to run out of"
POOL = "the emulator does not limit the connections of a connector"
COUNTED = "counts and times of models whose uploads and predictions were not recorded"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "ml-commons-3.4.0.jsonl": {
        "acl.*": USERS,
        "models.register_pretrained.task_failed": "the recorder had no way to the artifacts, the emulator needs none",
    },
    "ml-commons-3.4.0-faults.jsonl": {"breaker.parent.*": BREAKER, "remote_fault.pool_exhausted_*": POOL},
    "ml-commons-3.8.0.jsonl": {
        #        "dense.get_after_upload": NEWER,
        #        "predict.bad_json": NEWER,
        #        "connectors.get": NEWER,
        #        "connectors.search": NEWER,
        #        "remote.get_inline": NEWER,
        "stats.*": COUNTED,
        "profile.*": COUNTED,
    },
    "ml-commons-2.4.1.jsonl": {
        "tasks.search_before_any": OLDER,
        "stats.*": OLDER,
        "profile.*": OLDER,
        "models.*task_*": OLDER,
        "models.get_*": OLDER,
        "models.load": OLDER,
        "models.upload_pretrained": OLDER,
        "models.delete_*": OLDER,
        "models.unload_many": OLDER,
        "models.search": OLDER,
        "predict.unloaded": OLDER,
        "tasks.search": OLDER,
        "tasks.get_missing": OLDER,
        "newer.*": OLDER,
    },
}


def reason_of(exchange: Exchange) -> str | None:
    """Why an exchange is left out; None where it is not."""
    if not exchange.request.path.startswith(OWN):
        return OTHERS
    patterns = LEFT_OUT.get(exchange.file, {})
    return next((reason for pattern, reason in patterns.items() if fnmatchcase(exchange.case, pattern)), None)
