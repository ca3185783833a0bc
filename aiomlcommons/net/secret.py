"""The one type for what must never be shown."""

from __future__ import annotations

from typing import Final


class Secret:
    """Text that no ``repr``, log line or error shows. ``reveal()`` gives it to whoever must send it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a secret is text, not {type(text).__name__}")
        self._text: Final = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def reveal(text: str | Secret) -> str:
    """The text, whether or not it was wrapped."""
    return text.reveal() if isinstance(text, Secret) else text


def as_secret(text: str | Secret) -> Secret:
    """The text wrapped, if it was not."""
    return text if isinstance(text, Secret) else Secret(text)
