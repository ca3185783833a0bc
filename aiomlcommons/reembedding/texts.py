"""The text of a document that is re-embedded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.inference.fields import TextFrom


def text_in(text_of: TextFrom, fields: Mapping[str, Any]) -> str | None:
    """Return the text of a document, or None if it has none: a field is missing or null, or all of it is blank.

    What is no text, such as a list, is returned as text of its own: it has no vector, and is a dead letter of the job.
    """
    try:
        found = text_of(fields)
    except LookupError:
        return None
    except TypeError as error:
        return str(error)
    if not isinstance(found, str):
        return str(found)
    return found if found.strip() else None
