"""The options of a session as a type, for functions that pass them on."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import TypedDict

from aiomlcommons.net.auth import Auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.hedge import Hedge
from aiomlcommons.net.secret import Secret
from aiomlcommons.net.transport import SendFunction, Timeout, Transport


class SessionOptions(TypedDict, total=False):
    """The options of ``Session``, which documents them, but for its URL.

    ``def opened(**options: Unpack[SessionOptions])`` lets editors complete them, and type checkers refuse others.
    """

    auth: Auth | tuple[str, str] | None
    verify: bool
    ca_certs: str | os.PathLike[str] | None
    client_cert: str | os.PathLike[str] | None
    client_key: str | os.PathLike[str] | None
    client_key_password: str | Secret | None
    fingerprint: str | None
    ssl_context: ssl.SSLContext | None
    proxy: str | None
    trust_env: bool
    timeout: Timeout | float | None
    retries: int
    wait: float | None
    backoff: Backoff
    headers: Mapping[str, str] | None
    user_agent: str
    pool_size: int
    gzip: bool
    compat: str | None
    tenant_id: str | None
    flavor: str | None
    transport: Transport | SendFunction | None
    discover: bool | float
    hedge: Hedge | float | None
    max_response_bytes: int
