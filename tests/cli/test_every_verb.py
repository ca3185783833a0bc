"""Every verb prints one JSON document with --json, and nothing else to standard output."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aiomlcommons.cli.arguments import verbs
from tests.cli.every_verb import commands, judged


@pytest.mark.asyncio
async def test_every_verb_prints_one_json_document(tmp_path: Path) -> None:
    jq = shutil.which("jq") is not None
    found = [one async for one in judged(tmp_path, jq=jq)]
    assert [one for one in found if one.found.startswith("NO JSON")] == []
    assert [one for one in found if one.code not in {0, 143}] == []


def test_no_verb_is_left_out() -> None:
    assert {name for name, _ in verbs() if not any(one.startswith(name) for one in commands())} == set()
