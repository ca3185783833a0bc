"""What may be shown of values and of messages: everything but credentials, which are known by their names."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, NoReturn
from urllib.parse import quote

import orjson

MASK = "***"
# A shorter secret is also an ordinary word, such as admin, and is left in a server's message.
SHORTEST = 8
# In bytes. A larger body holds documents; looking for credentials in it would take milliseconds.
LARGEST_BODY = 2**16
# Characters that are searched for credentials beyond those of a text that are shown.
_WINDOW = 2_000
# Characters at the end of a name that tell whether it is one of a credential.
_LONGEST_NAME = 200
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "credential",
        "credentials",
        "authorization",
        "auth",
        "cookie",
        "signature",
        "sig",
        "apikey",
        "accesskey",
        "secretkey",
    }
)
HARMLESS_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-type",
        "host",
        "securitytenant",
        "traceparent",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-opaque-id",
        "x-tenant-id",
    }
)
"""The headers that are shown. Any other may hold a credential, whatever its name is."""
# A placeholder, which the server fills in, with the scheme of an authorization header before it.
_PLACEHOLDER = re.compile(r"(\w+ )?\$\{[\w.]+\}")
_USER = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")
_UNFINISHED_USER = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)\Z")
_ACCESS_KEY = re.compile(r"(?<=Credential=)[^/\s]+")
# How a text begins in JSON, up to its value; its quotes have backslashes where the JSON was a text in another one.
_MEMBER = re.compile(r"""(\\{0,7}["'])([\w.-]{1,200})\1\s*:\s*\1""")
_PARAMETER = re.compile(r"(?<=[?&])([\w.-]+)=([^&\s#'\"]+)")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Return whether a header, parameter or field of this name holds a credential: ``api_key``, ``X-Amz-Signature``."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and (words[-1] in _SECRET or (words[-1] == "key" and len(words) > 1))


def shown(value: Any) -> str:
    """Return the ``repr`` of a value without credentials: those of secret names, and those in URLs and in JSON."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_entry(key, entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return repr(without_credentials(value)) if type(value) is str else repr(value)


def _entry(name: Any, value: Any) -> str:
    return repr(MASK) if is_hidden(name, value) else shown(value)


def is_hidden(name: Any, value: Any) -> bool:
    """Return whether the value of a key is masked: the name is that of a credential, and the value may be one."""
    harmless = value is None or isinstance(value, bool | int | float) or is_placeholder(value)
    return isinstance(name, str) and is_secret(name[-_LONGEST_NAME:]) and not harmless


def is_secret_header(name: Any, text: Any) -> bool:
    """Return whether the value of a header is masked: it is neither a harmless header nor a placeholder."""
    return str(name).lower() not in HARMLESS_HEADERS and not is_placeholder(text)


def is_placeholder(value: Any) -> bool:
    """Return whether a value is ``${credential.key}``, or ``Bearer ${credential.key}``."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value) is not None


def without_escapes(text: str) -> str:
    """Return a text without what could change a terminal, such as escape sequences; lines and tabs are kept.

    Names come from servers and files, and so do the words of errors.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def without_credentials(text: str) -> str:
    """Mask the passwords in the URLs of a text, the credentials in their queries, and those in JSON."""
    return without_parameters(_USER.sub(rf"\1:{MASK}", _without_members(text)))


def _without_members(text: str) -> str:
    """Mask the texts of secret names in JSON, whole or cut off, which may be within a text of other JSON."""
    parts, at = [], 0
    for head in _MEMBER.finditer(text):
        end = _end_of_text(text, head.end(), head[1])
        if head.start() >= at and is_hidden(head[2], text[head.end() : end]):
            parts += [text[at : head.end()], MASK]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def _end_of_text(text: str, start: int, quotes: str) -> int:
    """Return where a text in JSON ends: at its quotes, unless these are escaped, or where it was cut off."""
    end = text.find(quotes, start)
    while end > 0 and text[end - 1] == "\\":
        end = text.find(quotes, end + 1)
    return len(text) if end < 0 else end


def beginning(text: str, most: int) -> tuple[str, int]:
    """Return the first characters of a text without credentials, and the number of those that are left out.

    Only the beginning of a long text is read. What is masked is masked before the text is cut.
    """
    window = text[: most + _WINDOW]
    masked = without_credentials(window)
    if len(window) < len(text):  # the end of a URL's password may be beyond the window
        masked = _UNFINISHED_USER.sub(rf"\1:{MASK}", masked)
    return masked[:most], max(0, len(masked) - most) + len(text) - len(window)


def without_parameters(url: str) -> str:
    """Mask the credentials in the query of a URL or a path."""
    return _PARAMETER.sub(_parameter, url) if "=" in url else url


def _parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if _is_secret_parameter(found[1]) else found[0]


def _is_secret_parameter(name: str) -> bool:
    return name == "key" or is_secret(name)


def secrets_in(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts of secret names in decoded JSON, at any depth, and the credentials in URLs."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name == "headers" and isinstance(part, Mapping):
                part = {key: text for key, text in part.items() if is_secret_header(key, text)}
            yield from secrets_in(part, inside=inside or is_secret(str(name)) or name == "headers")
    elif isinstance(value, list):
        for part in value:
            yield from secrets_in(part, inside=inside)
    elif isinstance(value, str) and inside and not is_placeholder(value):
        yield value
    elif isinstance(value, str) and "://" in value:
        yield from (password for _, password in _USER.findall(value))
        yield from (word for name, word in _PARAMETER.findall(value) if _is_secret_parameter(name))


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the one that is being handled as its context: that of a driver may hold credentials.

    ``from None`` hides the context from tracebacks only.
    """
    try:
        raise error  # noqa: TRY301
    except Exception:
        error.__context__ = None
        raise


class Veil:
    """The credentials of a request, to be taken out of what a server says about it. A copy of it covers nothing.

    ``texts`` are those of headers and parameters; a JSON ``body`` is read only when something is to be covered.
    """

    def __init__(self, texts: tuple[str, ...] = (), body: bytes | None = None) -> None:
        self._texts, self._body = texts, body

    def over(self, text: str) -> str:
        """Return a text without the credentials."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def over_bytes(self, data: bytes) -> bytes:
        """Return data without the credentials, and of the same length: that of a string is written in CBOR."""
        for form in self._forms:
            if (encoded := form.encode("utf-8", "surrogatepass")) in data:
                data = data.replace(encoded, b"*" * len(encoded))
        return data

    @cached_property
    def _forms(self) -> list[str]:
        """The credentials in every way of writing them, the longest first, which may contain others."""
        secrets = {part for text in self._texts for part in _parts(text)} | set(self._in_body())
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _ways_of_writing(secret)}
        return sorted(forms, key=len, reverse=True)

    def _in_body(self) -> Iterator[str]:
        if self._body is None or len(self._body) > LARGEST_BODY:
            return
        try:
            yield from secrets_in(orjson.loads(self._body))
        except (ValueError, RecursionError):
            return

    def __reduce__(self) -> Any:
        return type(self), ()


def _parts(value: str) -> Iterator[str]:
    """Yield the credential of a header: as it is, without its scheme, and the password or access key in it."""
    yield value
    yield from _ACCESS_KEY.findall(value)
    scheme, _, rest = value.partition(" ")
    yield rest
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest).decode()
        except ValueError:
            return
        yield pair
        yield pair.partition(":")[2]


def _ways_of_writing(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="", errors="surrogatepass")
    for ascii_only in (False, True):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")  # as some writers of JSON do
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]  # JSON within a string of JSON
