"""How the options of a Haystack component are stored, and read again: a secret only as the name of its variable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiomlcommons.integrations._extras import needs
from aiomlcommons.masking import is_hidden, is_secret_header, without_credentials
from aiomlcommons.net.auth import BearerAuth

with needs("haystack-ai", "haystack"):
    from haystack.utils import Secret

_PLAIN = (str, int, float, bool, type(None))
# Its last word is that of credentials, but it is the path of a file.
_HARMLESS = frozenset({"client_key"})


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


def stored(name: str, value: Any, *, header: bool = False) -> Any:
    """Return an option as plain values. Raises TypeError for what is none, ValueError for a bare credential."""
    if isinstance(value, Secret):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: stored(key, part, header=name == "headers") for key, part in value.items()}
    if isinstance(value, list | tuple):
        # Of a pair of credentials, the user name is none.
        names = ["username", *[name] * (len(value) - 1)] if name == "auth" else [name] * len(value)
        return [stored(named, part) for named, part in zip(names, value, strict=True)]
    if not isinstance(value, _PLAIN):
        raise TypeError(
            f"{name} cannot be stored, because it is a {type(value).__name__}: give plain values or a Secret, or leave "
            "it to the environment variables that Session.from_env reads"
        )
    if isinstance(value, str) and _is_credential(name, value, header=header):
        raise ValueError(f"{name} cannot be stored, because it is, or has in it, a credential: {_REMEDY}")
    return value


def restored(value: Any) -> Any:
    """Return an option that was stored, with its secrets, which are not read yet."""
    if isinstance(value, Mapping):
        if value.get("type") == "env_var":
            return Secret.from_dict(dict(value))
        return {key: restored(part) for key, part in value.items()}
    return [restored(part) for part in value] if isinstance(value, list) else value


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.resolve_value()
    if isinstance(value, Mapping):  # headers
        return {key: _revealed(part) for key, part in value.items()}
    return value


def _is_credential(name: str, text: str, *, header: bool) -> bool:
    named = is_secret_header(name, text) if header else is_hidden(name, text) and name not in _HARMLESS
    return named or without_credentials(text) != text


_REMEDY = 'name its environment variable, as in auth=("user", Secret.from_env_var("OPENSEARCH_PASSWORD"))'
