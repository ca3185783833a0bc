"""What is looked at in an error, however much there is of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aiomlcommons.trouble.parsed_error import MOST, parse_error


class Counted(Mapping[str, Any]):
    """A mapping without end, which counts what is taken out of it."""

    def __init__(self, value: Any) -> None:
        self.value, self.taken = value, 0

    def __getitem__(self, key: str) -> Any:
        self.taken += 1
        return self.value

    def __len__(self) -> int:
        return 2**62

    def __iter__(self) -> Iterator[str]:
        while True:
            yield f"key {self.taken}"


@pytest.mark.parametrize("value", ["", "x" * 100, 0, None, 0.5], ids=repr)
def test_a_long_mapping_is_looked_at_up_to_a_limit(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.trouble.parsed_error.MOST", 1_000)
    given = Counted(value)
    assert len(parse_error(400, {"type": "an_exception"}, given).words) <= 1_000
    assert 0 < given.taken <= 1_000


def test_json_in_a_text_is_not_decoded_beyond_the_limit() -> None:
    inside = '{"type": "an_exception", "reason": "boom", "more": "%s"}'
    assert "boom" in parse_error(400, inside % "").words.splitlines()
    assert "boom" not in parse_error(400, inside % ("x" * MOST)).words.splitlines()
