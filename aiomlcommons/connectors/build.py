"""What the builders have in common: checks that name the parameter, and the parts of a connector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from aiomlcommons.api.common import AccessMode
from aiomlcommons.api.connectors import ClientConfig, ConnectorAction, CreateConnector
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.net.secret import Secret, as_secret

HTTP, SIGV4 = "http", "aws_sigv4"
PRE, POST = "connector.pre_process.", "connector.post_process."


class Options(TypedDict, total=False):
    """What every builder takes besides: fields of ``CreateConnector``; only ``name`` and ``version`` have defaults."""

    name: str
    version: str | int
    description: str
    client_config: ClientConfig
    access_mode: AccessMode | str
    backend_roles: Sequence[str]
    add_all_backend_roles: bool
    tenant_id: str


def checked_text(name: str, value: str) -> str:
    """Text that is not empty.

    Raises InvalidRequest with the name.
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, not {type(value).__name__}")
    if not value.strip():
        raise InvalidRequest(f"{name} must not be empty")
    return value


def checked_secret(name: str, value: str | Secret) -> Secret:
    """A key that can stand in a header. One read from a file often ends with its line's end, which none can hold.

    Raises InvalidRequest with the name, never the value.
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
    """A URL with its scheme and host, and no secret in it.

    Raises InvalidRequest with the name.
    """
    if re.match(r"https?://[^/]*@", checked_text(name, value)):
        raise InvalidRequest(f"{name} must not hold a user name or a password: it is not kept secret")
    if not re.match(r"https?://[^/\s]", value):
        raise InvalidRequest(f"{name} must begin with https:// or http:// and a host, not {value!r}")
    if re.search(r"\s", value):
        raise InvalidRequest(f"{name} must have no spaces: {value!r}")
    return value


def checked_endpoint(value: str) -> str:
    """A URL that a path is put behind.

    Raises InvalidRequest.
    """
    return checked_url("endpoint", value).rstrip("/")


def checked_further(parameters: Mapping[str, Any] | None, taken: Iterable[str]) -> dict[str, Any]:
    """Further keys of the provider's request.

    Raises InvalidRequest for one that the builder sets itself, or that has no value.
    """
    further = dict(parameters or {})
    if both := sorted(further.keys() & set(taken)):
        raise InvalidRequest(f"parameters must not have {both[0]}, which has a place of its own")
    if missing := [key for key, value in further.items() if value is None]:
        raise InvalidRequest(f"parameters[{missing[0]!r}] must have a value")
    return further


def places(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Where the server fills each parameter in: text between quotes, anything else as the JSON that it is."""
    bare = {key: f"${{parameters.{key}}}" for key in parameters}
    return {key: f'"{bare[key]}"' if isinstance(value, str) else bare[key] for key, value in parameters.items()}


def json_object(parts: Mapping[str, str]) -> str:
    """A JSON object of parts that are JSON, or places for it."""
    return "{ " + ", ".join(f'"{key}": {part}' for key, part in parts.items()) + " }"


class Functions(TypedDict):
    """What the server does before and after a call: its own functions by name, or Painless scripts."""

    pre_process_function: str
    post_process_function: str


def builtin(before: str, after: str | None = None) -> Functions:
    """The server's own functions; most providers have one name for both."""
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
    """The action of a prediction."""
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
    """The header that carries a key of the credential."""
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
    """A connector of one action, called ``title`` where the options give no name."""
    given: dict[str, Any] = {"name": title, "version": 1, **options}
    return CreateConnector(**given, protocol=protocol, credential=credential, parameters=parameters, actions=[action])
