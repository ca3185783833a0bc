"""How the options of a Haystack component are stored, and read again: a secret only as the name of its variable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiomlcommons.integrations._extras import needs
from aiomlcommons.masking import is_hidden, is_secret_header, without_credentials
from aiomlcommons.net.auth import BearerAuth
from aiomlcommons.net.option_rules import SESSION
from aiomlcommons.net.rules import no_such_option
from aiomlcommons.net.urls import base_of, check_url, credentials_in

with needs("haystack-ai", "haystack"):
    from haystack.utils import Secret

_PLAIN = (str, int, float, bool, type(None))
# Its last word is that of credentials, but it is the path of a file.
_HARMLESS = frozenset({"client_key"})


def given(auth: Any, session: Mapping[str, Any] | None, url: str | None) -> tuple[Any, Any, str | None]:
    """Return the options of a component with every credential in plain text as a Secret, which nobody sees.

    Those in the URL are moved to ``auth``. Raises TypeError or ValueError for a bad URL or option.
    """
    for name, value in (session or {}).items():
        _check(name, value)
    if url is not None:
        parsed = check_url(url)
        found = credentials_in([parsed])
        if found is not None:
            url, auth = base_of(parsed), auth or (found.username, found.password.reveal())
    return _veiled("auth", auth), session if session is None else _veiled("session", session), url


def session_options(auth: Any, session: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a Session, for which the secrets are read now. Raises ValueError if one is missing.

    One secret is a token, which is read again whenever a new one is needed. A user name whose variable may be missing
    and is (``strict=False``) is no credentials.
    """
    options: dict[str, Any] = _revealed(session or {})
    if isinstance(auth, Secret):
        options["auth"] = BearerAuth(partial(_revealed, auth))
    elif isinstance(auth, list | tuple):  # a list, if it was stored
        pair = tuple(map(_revealed, auth))
        options["auth"] = pair if any(part is not None for part in pair) else None
    elif auth is not None:
        options["auth"] = auth
    return options


def stored(name: str, value: Any) -> Any:
    """Return an option as plain values. Raises TypeError for what has none, ValueError for a secret that is one."""
    if isinstance(value, Secret):
        try:
            return value.to_dict()
        except ValueError as error:
            raise ValueError(f"{name} cannot be stored: {_REMEDY}") from error
    if isinstance(value, Mapping):
        return {key: stored(key, part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [stored(name, part) for part in value]
    if not isinstance(value, _PLAIN):
        raise TypeError(
            f"{name} cannot be stored, because it is a {type(value).__name__}: give plain values or a Secret, or leave "
            "it to the environment variables that Session.from_env reads"
        )
    return value


def restored(value: Any) -> Any:
    """Return an option that was stored, with its secrets, which are not read yet."""
    if isinstance(value, Mapping):
        if value.get("type") == "env_var":
            return Secret.from_dict(dict(value))
        return {key: restored(part) for key, part in value.items()}
    return [restored(part) for part in value] if isinstance(value, list) else value


def _check(name: str, value: Any) -> None:
    """Check an option of a Session, where it is no secret yet to be read."""
    if name == "auth":
        raise ValueError("auth is no option of session= here: give it as auth=")
    if name not in SESSION:
        raise TypeError(f"session: {no_such_option(name, SESSION)}")
    if not isinstance(value, Secret) and not (isinstance(value, Mapping) and _has_secret(value)):
        SESSION[name](name, value)


def _has_secret(values: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Secret) for value in values.values())


def _veiled(name: str, value: Any, *, header: bool = False) -> Any:
    """Return an option whose credentials are secrets."""
    if isinstance(value, Mapping):
        return {key: _veiled(key, part, header=name == "headers") for key, part in value.items()}
    if isinstance(value, list | tuple) and name == "auth":  # the user name is no credential
        return type(value)([*value[:1], *(_veiled(name, part) for part in value[1:])])
    if isinstance(value, str) and value and _is_credential(name, value, header=header):
        return Secret.from_token(value)
    return value


def _is_credential(name: str, text: str, *, header: bool) -> bool:
    named = is_secret_header(name, text) if header else is_hidden(name, text) and name not in _HARMLESS
    return named or without_credentials(text) != text


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.resolve_value()
    if isinstance(value, Mapping):  # headers
        return {key: _revealed(part) for key, part in value.items()}
    return value


_REMEDY = (
    "a credential must be one of an environment variable, as in "
    'auth=("user", Secret.from_env_var("OPENSEARCH_PASSWORD"))'
)
