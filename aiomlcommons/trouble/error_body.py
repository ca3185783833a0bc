"""What an answer of 300 or above says, in whichever of its forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aiomlcommons.http import HttpResponse

# Of what an error says, so many characters at most.
LONGEST = 2000


def body_of(response: HttpResponse) -> Any:
    """The decoded body, or its text where it cannot be decoded."""
    try:
        return response.json()
    except ValueError:
        return response.text


def describe(body: Any) -> tuple[str, str, str]:
    """Type, reason and details from whichever form the body has."""
    if not isinstance(body, Mapping):
        return "", str(body or "").strip()[:LONGEST], ""
    error = body.get("error") or ""
    if isinstance(error, Mapping):
        # The execute routes answer a class name, a general reason, and the real words as details.
        kind, reason, details = (str(error.get(key) or "")[:LONGEST] for key in ("type", "reason", "details"))
        return kind, reason, details or _deeper(error, reason)
    # The profile routes answer {"error": "text", "exception": "text"}; a missing handler {"error": "text"}; what stands
    # before a cluster {"message": "text"}.
    words = str(error or body.get("message") or body.get("Message") or "")
    return "", words[:LONGEST], str(body.get("exception") or "")[:LONGEST]


def _deeper(error: Mapping[str, Any], reason: str) -> str:
    """The words of a cause that the error itself does not tell, as "all shards failed" does not."""
    causes = error.get("root_cause") or []
    for cause in [*(causes if isinstance(causes, list) else []), error.get("caused_by")]:
        words = str(cause.get("reason") or "") if isinstance(cause, Mapping) else ""
        if words and words not in reason:
            return words[:LONGEST]
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that ``Retry-After`` asks for, given as a number or as a date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or with the unknown one (-0000), comes back without any; HTTP means UTC.
    when = when.replace(tzinfo=when.tzinfo or UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


# A setting that the server's own words misspell.
_MISSPELT = {"plugins.ml_commons.remote_inference_enabled": "plugins.ml_commons.remote_inference.enabled"}
_SETTING = re.compile(r"plugins\.ml_commons\.[\w.]*\w|\ballow_registering_model_via_\w+")


def disabled_setting(words: str) -> str | None:
    """The key of the setting that would switch a feature on, where the server says that it is off."""
    found = _SETTING.search(words)
    if found is None or not re.search(r"\b(disabled|not enabled|to enable|needs to enable)\b", words, re.IGNORECASE):
        return None
    key = found[0] if found[0].startswith("plugins.") else f"plugins.ml_commons.{found[0]}"
    return _MISSPELT.get(key, key)
