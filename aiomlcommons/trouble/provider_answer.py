"""Extract codes, messages and status from a provider's error, in which each provider has a form of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import attrs

_DECODER = json.JSONDecoder(strict=False)
# How ML Commons begins the errors of a provider. The second form is that of a response without a body.
_RELAYED = re.compile(r"error from remote service:\s*|(?=remote service returned error status \d{3})", re.IGNORECASE)
# Fields are chosen by name, because some providers quote the document, which may hold any words.
_CODES = {"code", "type", "__type", "status", "reason", "error_type", "error_code", "errorcode", "quotaid"}
_MESSAGES = {"message", "msg", "error", "detail", "details", "error_message", "originalmessage"}
_STATUSES = {"code", "status", "statuscode", "originalstatuscode"}
_NESTED = {"error", "errors", "detail", "details", "innererror", "violations", "originalmessage"}
# Of AWS's SDK, of SageMaker, and of a response without a body.
_STATUS_IN_WORDS = re.compile(
    r"(?:status code:\s*|received (?:client|server) error \(|returned error status )(\d{3})\b", re.IGNORECASE
)
# A body that was cut off is no JSON any more, but most of its fields are there.
_FIELD = re.compile(r'"(\w+)"\s*:\s*(?:"((?:[^"\\]|\\.)*)|(\d+))')


@attrs.frozen
class ProviderAnswer:
    """A provider's error: its codes in lower case, its messages, and its own status (0 if it names none).

    A body that is no JSON is one message.
    """

    codes: frozenset[str] = frozenset()
    messages: tuple[str, ...] = ()
    status: int = 0


def provider_answer(words: str) -> ProviderAnswer | None:
    """Parse what ML Commons relays from a provider; None if these words are not a provider's."""
    found = _RELAYED.search(words)
    if found is None:
        return None
    text = words[found.end() :].strip()
    body = _parsed(text)
    pairs = list(_pairs(body)) if body is not None else [(key.lower(), a or b) for key, a, b in _FIELD.findall(text)]
    messages = [value for key, value in pairs if key in _MESSAGES and isinstance(value, str)]
    if not messages:
        messages = [text if body is None else json.dumps(body, separators=(",", ":"))]
    return ProviderAnswer(
        frozenset(_code(value) for key, value in pairs if key in _CODES and isinstance(value, str)),
        tuple(" ".join(message.split()) for message in messages),
        _status(pairs, text),
    )


def _parsed(text: str) -> Any:
    """Decode the JSON with which a text begins, also where its quotes are escaped; None if it begins with none."""
    for candidate in (text, text.replace('\\"', '"').replace("\\\\", "\\")):
        if candidate.startswith(("{", "[")):
            with suppress(ValueError, RecursionError):
                # Further words may follow, such as those of a cause.
                return _DECODER.raw_decode(candidate)[0]
    return None


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys, in lower case, and values of the fields in which providers tell what is wrong."""
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, Mapping):
            for name, field in part.items():
                key = str(name).lower()
                yield key, field
                if key in _NESTED:
                    yield from _pairs(_parsed(field) if isinstance(field, str) else field)


def _code(value: str) -> str:
    """Return an error code without the namespaces that AWS puts around it."""
    return value.rpartition("#")[2].partition(":")[0].strip().casefold()


def _status(pairs: list[tuple[str, Any]], text: str) -> int:
    stated = [value for key, value in pairs if key in _STATUSES and str(value).isdecimal()]
    found = stated or _STATUS_IN_WORDS.findall(text)
    return next((status for status in map(int, reversed(found)) if 400 <= status < 600), 0)
