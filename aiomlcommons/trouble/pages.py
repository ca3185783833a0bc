"""What an HTML page says in a few words: the answer of a proxy, a gateway, or another program than OpenSearch."""

from __future__ import annotations

import re
from html import unescape

# Characters of a title that are shown.
_LONGEST = 100
# Possessive, and without `<` in a tag, so that no page makes them try the same text again and again.
_PAGE = re.compile(
    r"\s*+(?:<\?xml[^<>]*+>\s*+)?+(?:(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|title|body|center|h1)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(r"<title[^<>]*+>([^<]*+)</title", re.IGNORECASE)
_TAG = re.compile(r"<(?:(script|style|head)\b)?+[^<>]*+>", re.IGNORECASE)
_PLAIN_HTTP = re.compile(r"HTTP request (?:was sent )?to (?:an )?HTTPS (?:port|server)", re.IGNORECASE)
# Before the end of a page that is long, a title stands early.
_LOOKED_AT = 50_000

HINT = "; OpenSearch sends no such page: is the URL that of the cluster, or is a proxy or gateway between?"
TLS_HINT = "; this port speaks TLS: the URL must begin with https"


def page_in(text: str) -> str:
    """Return ``an HTML page, "502 Bad Gateway"``: its title, or its first words; empty if the text is no HTML."""
    text = text[:_LOOKED_AT].lstrip("\ufeff")
    if not _PAGE.match(text):
        return ""
    title = _TITLE.search(text)
    words = " ".join(unescape(title[1]).split()) if title else ""
    words = words or " ".join(unescape(_seen(text)).split())
    short = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."
    return f'an HTML page, "{short}"' if short else "an empty HTML page"


def _seen(text: str) -> str:
    """Return a page without its tags, and without its scripts, styles and head."""
    parts, at, lower = [], 0, text.lower()
    unclosed: set[str] = set()
    while found := _TAG.search(text, at):
        parts.append(text[at : found.start()])
        at, end = found.end(), f"</{(found[1] or '').lower()}"
        if found[1] and end not in unclosed:
            if (closed := lower.find(end, at)) < 0:
                unclosed.add(end)
            at = max(at, closed)
    return " ".join([*parts, text[at:]])


def page_hint(body: object) -> str:
    """Return a hint for an error whose body is a page, or comes from a port that speaks TLS; else an empty string."""
    if not isinstance(body, str):
        return ""
    if _PLAIN_HTTP.search(body[:_LOOKED_AT]):
        return TLS_HINT
    return HINT if page_in(body) else ""
