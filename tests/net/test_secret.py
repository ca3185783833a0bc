"""A secret is shown only by ``reveal()``."""

from __future__ import annotations

import pytest

from aiomlcommons import Secret
from aiomlcommons.net.secret import as_secret, reveal
from tests.support.copies import copies

HUSH = "h0sh-h0sh"


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "%s".__mod__, ascii, lambda secret: repr([secret])])
def test_no_way_of_showing_a_secret_shows_it(shown: object) -> None:
    text = shown(Secret(HUSH))  # type: ignore[operator]
    assert HUSH not in text
    assert "***" in text


def test_reveal_gives_the_text() -> None:
    assert Secret(HUSH).reveal() == HUSH
    assert reveal(Secret(HUSH)) == reveal(HUSH) == HUSH


def test_a_secret_is_wrapped_once() -> None:
    secret = Secret(HUSH)
    assert as_secret(secret) is secret
    assert as_secret(HUSH) == secret


def test_secrets_are_equal_when_their_texts_are_and_never_to_the_text() -> None:
    assert Secret(HUSH) == Secret(HUSH) != Secret("other")
    assert Secret(HUSH) != HUSH
    assert len({Secret(HUSH), Secret(HUSH), Secret("other")}) == 2
    assert copies(Secret(HUSH)) == [Secret(HUSH)] * 3


def test_what_is_no_text_is_refused_without_being_shown() -> None:
    with pytest.raises(TypeError, match=r"^a secret must be a string, not bytes$"):
        Secret(HUSH.encode())  # type: ignore[arg-type]
