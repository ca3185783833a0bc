"""Two indices side by side: which documents are paired, and which index is looked at first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

import attrs
import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import Session
from aiomlcommons.reembedding.errors import ReembeddingError
from aiomlcommons.reembedding.pairs import beside, both, gone
from aiomlcommons.reembedding.reading import Found, Reader
from tests.support.recording_server import serve

pytestmark = pytest.mark.asyncio
keys = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 1))


@attrs.define
class Kept:
    """An index by the shards of its ids, in pages of two; ``looks`` says what was asked of which index."""

    name: str
    shards: Mapping[str, int]
    looks: list[str] = attrs.field(factory=list)
    index: str = "i"

    @property
    def ml(self) -> Any:
        """A session, of which only the refresh is asked."""
        return self

    @property
    def indices(self) -> Any:
        return self

    async def refresh(self, index: str) -> None:
        self.looks.append(f"refresh {index}")

    async def scan(self, shards: Iterable[int], marks: Any = None, **_: Any) -> AsyncGenerator[list[Found]]:
        for shard in shards:
            found = [self._found(key) for key, at in self.shards.items() if at == shard]
            for start in range(0, len(found), 2):
                self.looks.append(f"scan {self.name}")
                yield found[start : start + 2]

    async def fetch(self, ids: Sequence[str], **_: Any) -> dict[str, Found]:
        self.looks.append(f"fetch {self.name}")
        return {key: self._found(key) for key in ids if key in self.shards}

    def _found(self, key: str) -> Found:
        return Found(key, 0, 1, 1, None, None, {}, self.shards[key])


@settings(deadline=None)
@given(keys, keys)
async def test_each_id_comes_once_with_what_both_sides_have_of_it(
    source: dict[str, int], target: dict[str, int]
) -> None:
    looks: list[str] = []
    here: Any = Kept("source", source, looks)
    there: Any = Kept("target", target, looks)
    pairs = [pair async for pair in both(beside(here, there, [0, 1]), gone(here, there, [0, 1]))]
    assert sorted(one.id for one, _ in pairs if one) == sorted(source)
    assert sorted(other.id for _, other in pairs if other) == sorted(target)
    assert len(pairs) == len(source.keys() | target.keys())
    assert all(one is None or other is None or one.id == other.id for one, other in pairs)


async def test_what_is_gone_is_looked_for_after_the_copies_were_looked_at() -> None:
    """What came into the source between both looks, and then into the target, would else be deleted as gone."""
    looks: list[str] = []
    here: Any = Kept("source", {"a": 0}, looks)
    there: Any = Kept("target", {"a": 0, "b": 0, "c": 1}, looks)
    found = [(one, other) async for one, other in gone(here, there, [0, 1])]
    assert [(one, other and other.id) for one, other in found] == [(None, "b"), (None, "c")]
    assert looks == ["refresh i", *["scan target", "fetch source"] * 2]


async def test_only_what_is_wanted_is_looked_up() -> None:
    looks: list[str] = []
    here: Any = Kept("source", {"a": 0, "b": 0}, looks)
    there: Any = Kept("target", {"a": 0, "b": 0}, looks)
    found = [pair async for pair in beside(here, there, [0], wanted=lambda one: one.id == "b")]
    assert [(one and one.id, other and other.id) for one, other in found] == [("a", None), ("b", "b")]


async def test_an_id_with_two_documents_is_refused_with_their_routings() -> None:
    hits = [{"_id": "a", "_seq_no": 0, "_primary_term": 1, "_version": 1, "_routing": routing} for routing in "xy"]
    answer = web.Response(body=orjson.dumps({"hits": {"hits": hits}}), content_type="application/json")
    async with serve(answer) as server, Session(server.url) as ml:
        with pytest.raises(
            ReembeddingError, match="index i: the id 'a' has two documents, of the routings 'x' and 'y'"
        ):
            await Reader(ml, "i").fetch(["a"])
        assert "preference=_primary&" in server.heard[-1].path
