"""The session: the face on top of the client, with bulk jobs and the life of models."""

from __future__ import annotations

from aiomlcommons.client import Client
from aiomlcommons.ingest.methods import Ingests
from aiomlcommons.lifecycle.methods import ModelLife
from aiomlcommons.namespace import space


class Session(Client, Ingests):
    """A connection to an OpenSearch cluster with ML Commons.

    ``async with Session("https://host:9200", auth=("admin", "...")) as ml:``, or in a notebook
    ``ml = await Session.connect(...)`` and ``await ml.close()``.

    ``url`` may hold a user name and password; they are taken out of it. ``auth`` is a pair, BasicAuth or BearerAuth.
    TLS is verified unless ``verify=False``; ``ca_certs`` trusts another authority; ``client_cert`` and ``client_key``
    prove the client. ``timeout`` is seconds for a whole attempt, or a Timeout (default: connect 10, read 60,
    total 300). A call that may be repeated is sent up to ``retries`` times more (default 3), with ``backoff`` between;
    beyond that, trouble that passes by waiting (a node restarts, shards recover, a memory breaker is open) is waited
    out for ``wait`` seconds (default 0), unless the cluster has never answered.
    ``pool_size`` (default 100) is the most connections at once. ``gzip`` asks for compressed answers, which pays on
    slow networks only. ``compat`` is the server's version (``"2.4"``) until it tells, and where it does not: names and
    fields of that version are used. ``transport`` replaces the network by another Transport, or by a function.

    Make one session for each event loop; any number may be open at once.
    """

    models = space(ModelLife)
