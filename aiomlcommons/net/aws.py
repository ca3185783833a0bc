"""Signatures for Amazon OpenSearch Service and Serverless (AWS Signature Version 4), made by botocore."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal

import anyio.to_thread
import attrs

from aiomlcommons.errors import NoCredentials
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net._aws_credentials import NO_REGION, Chain, Frozen
from aiomlcommons.trouble.aws import is_serverless

# From this size on, in bytes, a body is hashed in a thread. Hashing takes 0.8 us per KiB, and the way to a thread 80 to
# 100 us of the event loop's time (benchmarks/aws_signature.py), so that smaller bodies would gain nothing.
LARGE = 128 * 1024

_REGION = re.compile(r"[a-z]{2}[a-z0-9]*(-[a-z0-9]+)+")
# What AWS says where other credentials may help: https://repost.aws/knowledge-center/opensearch-troubleshoot-403
_OUTDATED = re.compile(
    rb"security token included in the request is (?:expired|invalid)|ExpiredToken|InvalidClientToken"
)
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")


@attrs.frozen(eq=False)
class AwsAuth:
    """Signatures of AWS (SigV4) for Amazon OpenSearch Service and OpenSearch Serverless. Needs the extra ``aws``.

    ``Session("https://search-mine-abc.eu-west-1.es.amazonaws.com", auth=AwsAuth("eu-west-1"))``. Credentials come from
    botocore's chain (environment, profiles, SSO, roles of containers and instances) at the first request, and are
    renewed before they expire, in a thread. A pickled copy holds no credentials: it finds those of its own machine.

    Args:
        region: The region of the domain or collection. Default: that of the session.
        service: ``es`` for a domain (OpenSearch Service), ``aoss`` for a collection (Serverless). Default: ``es``.
        session: A session of botocore or boto3. Default: a new one, of the environment and ``AWS_PROFILE``.

    Raises ValueError or TypeError for an invalid option, ImportError without botocore. A request raises NoCredentials
    if there are no credentials or no region.

    https://docs.aws.amazon.com/opensearch-service/latest/developerguide/managedomains-signing-service-requests.html
    """

    region: str | None = None
    service: Literal["es", "aoss"] = "es"
    session: Any = attrs.field(default=None, repr=False)
    _chain: Chain = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "_chain", Chain(self.session))

    def _check(self) -> None:
        region: Any = self.region
        if region is not None and not (isinstance(region, str) and _REGION.fullmatch(region)):
            raise ValueError("region must be like 'eu-west-1'; credentials come from session=..., or botocore's chain")
        if self.service not in ("es", "aoss"):
            # Not shown, because it may be a secret key: AwsAuth(access_key, secret_key) is what others take.
            raise ValueError("service must be 'es' (OpenSearch Service) or 'aoss' (OpenSearch Serverless)")
        if self.session is not None and not hasattr(self.session, "get_credentials"):
            raise TypeError(f"session must be a session of botocore or boto3, not {type(self.session).__name__}")
        if find_spec("botocore") is None:
            raise ImportError("AwsAuth needs botocore: pip install 'aiomlcommons[aws]'")

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers of the signature: of the method, the URL, the body, ``host`` and ``x-amz-*`` headers."""
        credentials = await self._chain.frozen()
        region = self.region or self._chain.region
        if region is None:
            raise NoCredentials(NO_REGION)
        if len(request.body or b"") < LARGE:
            return signed(request, credentials, region, self.service)
        return await anyio.to_thread.run_sync(signed, request, credentials, region, self.service)

    async def rejected(self, request: HttpRequest, response: HttpResponse) -> bool:
        """Look for credentials again if AWS says that those of a signed request are outdated; return whether to repeat.

        Credentials that a program put into its session are never replaced.
        """
        found = _CREDENTIAL.search(request.headers.get("authorization", ""))
        if found is None or response.status not in {401, 403}:
            return False
        # Serverless does not say why, and it costs nothing to read again a session token that somebody else renews.
        if not (_OUTDATED.search(response.body) or (is_serverless(response) and self._chain.has_fixed_token)):
            return False
        return await self._chain.renewed(found[1], request.headers.get("x-amz-security-token"))

    def __reduce__(self) -> Any:
        return type(self), (self.region, self.service)

    # A copy in this process is the same identity, unlike a pickled one.
    def __copy__(self) -> AwsAuth:
        return self

    def __deepcopy__(self, _: Any) -> AwsAuth:
        return self


def timestamp() -> str:
    """Return the time of now as signatures have it."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def signed(request: HttpRequest, credentials: Frozen, region: str, service: str) -> dict[str, str]:
    """Return the headers to add to a request: host, x-amz-date, hash of the body, session token, authorization.

    Other headers are left out of the signature, because load balancers change them.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    signer = SigV4Auth(credentials, service, region)
    now = timestamp()
    ours = {"x-amz-date": now, "x-amz-content-sha256": hashlib.sha256(request.body or b"").hexdigest()}
    if credentials.token:
        ours["x-amz-security-token"] = credentials.token
    given = {name: value for name, value in request.headers.items() if name == "host" or name.startswith("x-amz-")}
    unsigned = AWSRequest(request.method, request.url, {**given, **ours})
    unsigned.context["timestamp"] = now
    # The steps of add_auth one by one, because that logs the session token (at DEBUG).
    names = signer.headers_to_sign(unsigned)
    text = signer.string_to_sign(unsigned, signer.canonical_request(unsigned))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(unsigned)}, SignedHeaders={signer.signed_headers(names)}, "
        f"Signature={signer.signature(text, unsigned)}"
    )
    return {"host": names["host"], **ours, "authorization": authorization}
