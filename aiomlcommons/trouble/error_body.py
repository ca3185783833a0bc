"""Parsing of the body and headers of a response of 300 or above, in each of the shapes that servers send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from aiomlcommons.deferred import email_utils
from aiomlcommons.http import HttpResponse
from aiomlcommons.trouble.pages import page_in

# Maximum length of each text of an error, in characters.
LONGEST = 2000
# Bytes of the largest body that is decoded. Errors have some hundred, with those of a provider some thousand; to look
# for words in a hundred megabytes would take minutes.
LARGEST = 2**18


def body_of(response: HttpResponse) -> Any:
    """Return the decoded body, or its text if it cannot be decoded; of a large one the beginning of its text."""
    if len(response.body) > LARGEST:
        return response.body[:LARGEST].decode("utf-8", "replace")
    try:
        return response.json()
    except ValueError:
        return response.text


def describe(body: Any) -> tuple[str, str, str]:
    """Return type, reason and details of an error body of any shape; what is missing is empty."""
    if not isinstance(body, Mapping):
        words = text_of(body).strip()
        return "", page_in(words) or words[:LONGEST], ""
    error = body.get("error") or ""
    if isinstance(error, Mapping):
        # The execute routes send a class name, a generic reason, and the specific message as details.
        kind, reason, details = (text_of(error.get(key))[:LONGEST] for key in ("type", "reason", "details"))
        return kind, reason, details or _deeper(error, reason)
    # The profile routes send {"error": "text", "exception": "text"}; a missing handler {"error": "text"}; proxies and
    # gateways {"message": "text"}.
    words = text_of(error or body.get("message") or body.get("Message") or _missing(body))
    return "", words[:LONGEST], text_of(body.get("exception"))[:LONGEST]


def text_of(value: Any) -> str:
    """Return a value as text, as Python writes it if it is none; nothing is empty."""
    try:
        return str(value or "")
    except (RecursionError, ValueError):  # nested in 1,000 levels, or a number of more than 4,300 digits
        return f"<{type(value).__name__}>"


def _missing(body: Mapping[str, Any]) -> str:
    """Return the reason of a 404 that answers with the place of the missing document, and no error."""
    return f"no document {body['_id']!r} in {body['_index']}" if {"_id", "_index"} <= body.keys() else ""


_PIPELINE = re.compile(r"/_(ingest|search)/pipeline(?:/([^/]+))?/?")


def unsaid(response: HttpResponse) -> str:
    """Return the reason of a 404 that is an empty object, which is all that a server says of pipelines it has not."""
    found = _PIPELINE.fullmatch(response.request.path)
    if found is None or response.status != 404 or response.body.strip() != b"{}":
        return ""
    return f"no {found[1]} pipeline {unquote(found[2])!r}" if found[2] else f"no {found[1]} pipelines"


def _deeper(error: Mapping[str, Any], reason: str) -> str:
    """Return the reason of a cause that the error itself lacks, as "all shards failed" does."""
    causes = error.get("root_cause") or []
    for cause in [*(causes if isinstance(causes, list) else []), error.get("caused_by")]:
        words = text_of(cause.get("reason"))[:LONGEST] if isinstance(cause, Mapping) else ""
        if words and words not in reason:
            return words
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which is a number or a date; None if absent or invalid."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        when = email_utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or with the unknown zone -0000, is parsed as naive; in HTTP it is UTC.
    when = when.replace(tzinfo=when.tzinfo or UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


# A setting that the server's own message misspells.
_MISSPELT = {"plugins.ml_commons.remote_inference_enabled": "plugins.ml_commons.remote_inference.enabled"}
_SETTING = re.compile(r"plugins\.ml_commons\.[\w.]*\w|\ballow_registering_model_via_\w+")


def disabled_setting(words: str) -> str | None:
    """Return the key of the setting that enables a feature, if the message says that the feature is disabled."""
    found = _SETTING.search(words)
    if found is None or not re.search(r"\b(disabled|not enabled|to enable|needs to enable)\b", words, re.IGNORECASE):
        return None
    key = found[0] if found[0].startswith("plugins.") else f"plugins.ml_commons.{found[0]}"
    return _MISSPELT.get(key, key)
