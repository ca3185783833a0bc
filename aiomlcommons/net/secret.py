"""A string wrapper that keeps secrets out of logs and errors."""

from __future__ import annotations

from typing import Final


class Secret:
    """Text that is masked in ``repr`` and ``str``, so that no log line or error shows it; ``reveal()`` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a secret must be a string, not {type(text).__name__}")
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def reveal(text: str | Secret) -> str:
    """Return the text, unwrapped if it is a Secret."""
    return text.reveal() if isinstance(text, Secret) else text


def as_secret(text: str | Secret) -> Secret:
    """Wrap the text, unless it is a Secret already."""
    return text if isinstance(text, Secret) else Secret(text)
