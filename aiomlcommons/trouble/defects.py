"""Refusals of released servers that are their own defects: what they ask for is there already, and changes nothing."""

from __future__ import annotations

import re

from aiomlcommons.http import HttpRequest

# GetTask and CancelBatchJob ask the provider without handing on what the cluster's settings allow: up to 3.6 the leave
# for private addresses, from 3.7 on the trusted endpoints too, at least until 3.9 (the sources of 2.18 to main).
_TASK = re.compile(r"/_plugins/_ml/tasks/(?!_search)[^/]+(?:/_cancel(?:_batch)?)?/?$")
_UNTOLD = (
    "Trusted connector endpoints regex is not configured",
    "Remote inference host name has private ip address",
)


def defect_of(request: HttpRequest, reason: str) -> str:
    """What to do about a refusal that is a defect of the server; empty for any other."""
    if not (reason.startswith(_UNTOLD) and _TASK.match(request.path)):
        return ""
    return (
        "; this is a defect of the server, and setting it does not help: asked about a provider's job, servers before "
        "3.7 allow no private address, and servers from 3.7 on no address at all. The job itself goes on: ask its "
        "provider, with the id in the remote_job that batch_predict answered"
    )
