"""The session: the public facade over the client, with bulk jobs, searches, evaluations and the model lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.client import Client
from aiomlcommons.diagnosis.methods import Diagnoses
from aiomlcommons.evaluating.methods import Evaluates
from aiomlcommons.ingest.methods import Ingests
from aiomlcommons.namespace import space
from aiomlcommons.reembedding.methods import Reembeds
from aiomlcommons.searching.methods import Searches

if TYPE_CHECKING:
    from aiomlcommons.indices.methods import IndexLife
    from aiomlcommons.lifecycle.methods import ModelLife


class Session(Client, Ingests, Diagnoses, Searches, Evaluates, Reembeds):
    """An async session with an OpenSearch cluster that runs ML Commons: one connection pool, typed calls, retries.

    ``async with Session("https://host:9200", auth=("admin", "...")) as ml:``, or in a notebook
    ``ml = await Session.connect(...)``, or ``ml = await Session.from_env().open()``, and ``await ml.close()``. A
    session belongs to the event loop that opened it.

    Args:
        url: The cluster's URL, or a list of those of its nodes, which then take calls in turn; one that fails is set
            aside for 1 to 30 s. User name and password in it are moved to ``auth``. Default: ``https://localhost:9200``.
        auth: A pair (user name, password), a BasicAuth, a BearerAuth or an AwsAuth. An ``authorization`` header that is
            given for some calls replaces it there. Default: none.
        verify: Verify the server's certificate; False accepts any, for throw-away clusters only, and is an
            InsecureWarning. Default: True.
        ca_certs: PEM file of the certificate authorities to trust. Default: those of the system.
        client_cert: PEM file of the client's certificate (mutual TLS). Default: none.
        client_key: PEM file of the client's private key. Default: it is in the file of ``client_cert``.
        client_key_password: The password of an encrypted private key. Default: none.
        fingerprint: The SHA-256 of the one certificate to accept, in hex, with or without colons; it may be
            self-signed, or name another host. Default: none.
        ssl_context: An own SSL context, in place of the options above; TLS 1.2 is the oldest version. Default: none.
        proxy: The URL of an HTTP proxy, like ``http://user:password@proxy:3128``. Default: none.
        trust_env: Take the proxy of the environment: ``HTTPS_PROXY`` or ``HTTP_PROXY``, but for the hosts of
            ``NO_PROXY``. Default: False.
        timeout: Seconds for one whole attempt, or a Timeout; None is no limit. Default: connect 10, read 60, total 300.
        retries: How often an idempotent request is retried after a transient error. Default: 3.
        wait: Seconds, counted from the first failure, to keep retrying beyond ``retries`` while the cluster is
            unavailable (a node restarts, shards recover, a memory breaker is open). Applies only once the cluster has
            responded, so that a wrong URL fails fast. Default: 0; with ``flavor="aoss"`` 60, for its cold starts.
        backoff: The delays between attempts: exponential backoff with jitter. Default: 0.1 s, growing to 10 s.
        headers: Headers to send with each request. Default: none.
        user_agent: The ``user-agent`` header. Default: ``aiomlcommons/VERSION``.
        pool_size: The maximum of open connections to each node. Default: 100.
        gzip: Request compressed responses, which pays off on slow networks only. Default: False.
        compat: The server's version, such as ``"2.4"``, assumed until the server reports its own and if it cannot be
            determined; routes and fields of that version are used. Default: the current ones.
        tenant_id: The tenant, on clusters with multi-tenancy; sent as ``x-tenant-id``. Default: none.
        flavor: The kind of server: ``"opensearch"``, ``"managed"`` (a domain of Amazon OpenSearch Service), or
            ``"aoss"`` (Amazon OpenSearch Serverless). What it lacks raises NotSupported before anything is sent.
            Default: what the host name, the service of an AwsAuth, or the headers of its responses tell; else
            ``"opensearch"``.
        transport: A transport adapter that replaces aiohttp: a Transport, or an async function from HttpRequest and
            Timeout to HttpResponse. Default: aiohttp.
        discover: Ask the cluster for its nodes (``GET _nodes/http``), when the session is opened and every so many
            seconds; True is 300. Not for clusters behind a proxy or load balancer. Default: False.
        hedge: Seconds after which a prediction without a response is sent to a second node, too, or a Hedge. The first
            response counts; at most 5 % of the predictions are sent twice. Default: None, never.
        max_response_bytes: The largest response that is read, counted after decompression, and the largest frame of a
            stream; its values may take four times as much memory. What is larger is ResponseTooLarge. Default: 256 MiB.
    """

    # Nobody assigns to them, so that they may be of a narrower type than those of Api.
    models: space[ModelLife] = space("lifecycle.methods:ModelLife")  # pyright: ignore[reportIncompatibleVariableOverride]
    indices: space[IndexLife] = space("indices.methods:IndexLife")  # pyright: ignore[reportIncompatibleVariableOverride]
