"""Shared parts of the connector builders: validation that names the parameter, and templates of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from aiomlcommons.api.common import AccessMode
from aiomlcommons.api.connectors import ClientConfig, ConnectorAction, CreateConnector
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.masking import without_credentials
from aiomlcommons.net.secret import Secret, as_secret

HTTP, SIGV4 = "http", "aws_sigv4"
PRE, POST = "connector.pre_process.", "connector.post_process."


class Options(TypedDict, total=False):
    """Keyword options of every builder: fields of ``CreateConnector``; only ``name`` and ``version`` have defaults."""

    name: str
    version: str | int
    description: str
    client_config: ClientConfig
    access_mode: AccessMode | str
    backend_roles: Sequence[str]
    add_all_backend_roles: bool
    tenant_id: str


def checked_text(name: str, value: str) -> str:
    """Return non-empty text. Raises InvalidRequest, which names the parameter."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {type(value).__name__}")
    if not value.strip():
        raise InvalidRequest(f"{name} must not be empty")
    return value


def checked_secret(name: str, value: str | Secret) -> Secret:
    """Return a secret that is valid in a header: a key read from a file often ends with a line break, which is not.

    Raises InvalidRequest, which names the parameter, never the value.
    """
    if not isinstance(value, str | Secret):
        raise InvalidRequest(f"{name} must be text or a Secret, not {type(value).__name__}")
    secret = as_secret(value)
    text = secret.reveal()
    if not text.strip():
        raise InvalidRequest(f"{name} must not be empty")
    if text != text.strip() or not text.isprintable():
        raise InvalidRequest(f"{name} must have no line ends, and no spaces around it")
    return secret


def checked_url(name: str, value: str) -> str:
    """Return a URL with scheme and host, without credentials. Raises InvalidRequest, which names the parameter."""
    if re.match(r"(\w[\w+.-]*:)?(//)?[^/]*@", checked_text(name, value)):
        raise InvalidRequest(f"{name} must not have a user name or password: the server does not keep URLs secret")
    shown = without_credentials(value)
    if not re.match(r"https?://[^/\s]", value):
        raise InvalidRequest(f"{name} must begin with https:// or http:// and a host, not {shown!r}")
    if re.search(r"\s", value):
        raise InvalidRequest(f"{name} must have no spaces: {shown!r}")
    return value


def checked_endpoint(value: str) -> str:
    """Return a base URL, without a trailing slash. Raises InvalidRequest."""
    return checked_url("endpoint", value).rstrip("/")


def checked_further(parameters: Mapping[str, Any] | None, taken: Iterable[str]) -> dict[str, Any]:
    """Return additional keys of the provider's request.

    Raises InvalidRequest for one that the builder sets itself, or whose value is None.
    """
    further = dict(parameters or {})
    if both := sorted(further.keys() & set(taken)):
        raise InvalidRequest(f"parameters must not have {both[0]}, which the builder sets itself")
    if missing := [key for key, value in further.items() if value is None]:
        raise InvalidRequest(f"parameters[{missing[0]!r}] must have a value")
    return further


def places(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the placeholder of each parameter, which the server fills in: quoted for text, bare for other JSON."""
    bare = {key: f"${{parameters.{key}}}" for key in parameters}
    return {key: f'"{bare[key]}"' if isinstance(value, str) else bare[key] for key, value in parameters.items()}


def json_object(parts: Mapping[str, str]) -> str:
    """Join parts, which are JSON or placeholders, to a JSON object."""
    return "{ " + ", ".join(f'"{key}": {part}' for key, part in parts.items()) + " }"


class Functions(TypedDict):
    """Functions that the server applies before and after a call: built-in ones by name, or Painless scripts."""

    pre_process_function: str
    post_process_function: str


def builtin(before: str, after: str | None = None) -> Functions:
    """Return built-in functions of the server; most providers have the same name for both."""
    return {"pre_process_function": PRE + before, "post_process_function": POST + (after or before)}


def predict(
    url: str,
    request_body: str,
    headers: Mapping[str, str],
    *,
    pre_process_function: str | None = None,
    post_process_function: str | None = None,
    supports_structured_output: bool | None = None,
) -> ConnectorAction:
    """Return the connector's action for predictions."""
    return ConnectorAction(
        action_type="predict",
        method="POST",
        url=url,
        headers=headers,
        request_body=request_body,
        pre_process_function=pre_process_function,
        post_process_function=post_process_function,
        supports_structured_output=supports_structured_output,
    )


def bearer(key: str) -> dict[str, str]:
    """Return the authorization header with the placeholder of a key of the credential."""
    return {"Authorization": f"Bearer ${{credential.{key}}}"}


def connector(
    title: str,
    action: ConnectorAction,
    *,
    credential: Mapping[str, str | Secret],
    parameters: Mapping[str, Any],
    options: Options,
    protocol: str = HTTP,
) -> CreateConnector:
    """Return a connector with one action; its name is ``title`` unless the options have one."""
    given: dict[str, Any] = {"name": title, "version": 1, **options}
    return CreateConnector(**given, protocol=protocol, credential=credential, parameters=parameters, actions=[action])
