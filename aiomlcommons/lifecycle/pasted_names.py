"""Names of models as people paste them: ids and addresses of Hugging Face, in any case, with spaces around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

# The address of a repository, which may go on to a page or a file in it.
_ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://)(?:models/)?(?P<name>[\w.-]+(?:/[\w.-]+)?)"
    r"(?:/(?:tree|blob|resolve)/(?P<branch>[^/?#]+)|@(?P<tag>[^/?#]+))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_ID = re.compile(r"[\w.-]+/[\w.-]+")
# The owners on Hugging Face of the folders in which the catalogue keeps models.
_OWNERS = {
    "huggingface/sentence-transformers": "sentence-transformers",
    "huggingface/cross-encoders": "cross-encoder",
    "amazon/neural-sparse": "opensearch-project",
    "amazon/sentence-highlighting": "opensearch-project",
}
# Hugging Face renamed ms-marco-MiniLM-L-6-v2 and -12-v2.
_RENAMED = re.compile(r"(?<=-L)-(?=\d+-)")


def plain_name(text: str) -> str:
    """Return the name that was pasted: ``owner/name`` of an address on Hugging Face, else the text without spaces."""
    text = text.strip()
    found = _ADDRESS.fullmatch(text)
    return found["name"] if found else text


def revision_in(text: str) -> str | None:
    """Return the revision that an address on Hugging Face names, if any: ``main`` in ``.../tree/main``."""
    found = _ADDRESS.fullmatch(text.strip())
    return (found["branch"] or found["tag"]) if found else None


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form of an id on Hugging Face: ``owner/name``."""
    return _ID.fullmatch(name) is not None


def keys_of(name: str) -> Iterator[str]:
    """Yield what a name of the catalogue is also written as, in small letters: without its folder, and as an id."""
    folder, _, short = name.rpartition("/")
    for written in {short, _RENAMED.sub("", short)}:
        yield key(f"{folder}/{written}")
        yield key(written)
        if owner := _OWNERS.get(folder):
            yield key(f"{owner}/{written}")
            yield key(f"{folder.rpartition('/')[2]}/{written}")


def key(name: str) -> str:
    """Return what a name is looked up by."""
    return plain_name(name).casefold()
