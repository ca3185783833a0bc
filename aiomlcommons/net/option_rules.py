"""The rules of the options of a session and of its views: one table says what each of them takes."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from numbers import Real
from typing import Any

from aiomlcommons.net import rules
from aiomlcommons.net.auth import as_auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.hedge import Hedge
from aiomlcommons.net.proxy import Proxy
from aiomlcommons.net.rules import Check, Rule
from aiomlcommons.net.secret import Secret
from aiomlcommons.net.tls import is_fingerprint
from aiomlcommons.net.transport import Timeout, as_transport

_TIMEOUT = Rule(
    (Timeout, Real, type(None)),
    "a number of seconds above 0, a Timeout, or None for no limit",
    lambda timeout: isinstance(timeout, Timeout) or rules.LIMIT.holds(timeout),
)
_PATH = Rule((str, os.PathLike), "the path of a PEM file", lambda path: path != "")
_FINGERPRINT = Rule((str,), "a SHA-256 in hex, with or without colons", is_fingerprint)
_CONTEXT = Rule((ssl.SSLContext,), "an ssl.SSLContext, such as ssl.create_default_context()")
# From 7 on it is a version of Elasticsearch (wire/version.py).
_COMPAT = Rule((str,), "a version of OpenSearch, such as '2.4'", re.compile(r"[1-6](\.\d+(\..*)?)?").fullmatch)
# The kinds of wire/flavors.py.
_FLAVOR = Rule(
    (str,),
    "'opensearch', 'managed' (Amazon OpenSearch Service) or 'aoss' (Amazon OpenSearch Serverless)",
    {"opensearch", "managed", "aoss"}.__contains__,
)

_HEDGE = Rule(
    (Hedge, Real),
    "a number of seconds above 0, or a Hedge, such as Hedge(after=0.2)",
    lambda hedge: isinstance(hedge, Hedge) or rules.LIMIT.holds(hedge),
)
_DISCOVER = Rule(
    (bool, Real), "True, False or a number of seconds above 0", lambda every: isinstance(every, bool) or every > 0
)


def _auth(_: str, value: Any) -> None:
    as_auth(value)


def _transport(_: str, value: Any) -> None:
    as_transport(value)


def _proxy(name: str, value: Any) -> None:
    Rule((str,), "the URL of a proxy", secret=True).check(name, value)
    Proxy.parse(name, value)


VIEW: Mapping[str, Check] = {
    "auth": _auth,
    "timeout": _TIMEOUT.check,
    "retries": rules.COUNT.check,
    "wait": rules.SECONDS.check,
    "backoff": Rule((Backoff,), "a Backoff, such as Backoff(first=0.5)").check,
    "headers": rules.headers,
    "opaque_id": rules.HEADER.check,
    "tenant_id": rules.HEADER.check,
    "hedge": _HEDGE.check,
    "max_response_bytes": rules.AMOUNT.check,
}
"""What ``session.options(...)`` takes."""

SESSION: Mapping[str, Check] = {
    **VIEW,
    "verify": rules.FLAG.check,
    "ca_certs": _PATH.check,
    "client_cert": _PATH.check,
    "client_key": _PATH.check,
    "client_key_password": Rule((str, Secret), "a text or a Secret", secret=True).check,
    "fingerprint": _FINGERPRINT.check,
    "ssl_context": _CONTEXT.check,
    "proxy": _proxy,
    "trust_env": rules.FLAG.check,
    "user_agent": rules.HEADER.check,
    "pool_size": rules.AMOUNT.check,
    "gzip": rules.FLAG.check,
    "compat": _COMPAT.check,
    "flavor": _FLAVOR.check,
    "transport": _transport,
    "discover": _DISCOVER.check,
}
"""What ``Session(...)`` takes besides its URL."""
