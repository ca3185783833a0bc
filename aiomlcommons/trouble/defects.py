"""Errors that are known defects of released servers: the settings that they ask for are set, and do not help."""

from __future__ import annotations

import re

from aiomlcommons.http import HttpRequest

# GetTask and CancelBatchJob call the provider without passing on the cluster's settings: up to 3.6 the permission for
# private addresses, from 3.7 on the trusted endpoints too, at least until 3.9 (seen in the sources of 2.18 to main).
_TASK = re.compile(r"/_plugins/_ml/tasks/(?!_search)[^/]+(?:/_cancel(?:_batch)?)?/?$")
_DEFECTS = (
    "Trusted connector endpoints regex is not configured",
    "Remote inference host name has private ip address",
)


def defect_of(request: HttpRequest, reason: str) -> str:
    """Return a hint if an error is a known defect of the server; empty for any other."""
    if not (reason.startswith(_DEFECTS) and _TASK.match(request.path)):
        return ""
    return (
        "; this is a defect of the server, and setting it does not help: asked about a provider's job, servers before "
        "3.7 allow no private address, and servers from 3.7 on no address at all. The job itself continues: ask its "
        "provider, with the id in the remote_job that batch_predict answered"
    )
