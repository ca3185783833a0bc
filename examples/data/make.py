"""Regenerate kjv-wisdom.jsonl. It needs the command `bible` (on Debian: apt install bible-kjv)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BOOKS = {"Proverbs": "prov1:1-prov31:31", "Ecclesiastes": "eccl1:1-eccl12:14"}


def verses(book: str, passage: str) -> Iterator[dict[str, Any]]:
    told = subprocess.run(["bible", "-f", passage], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
    for chapter, verse, text in re.findall(r"^\w+?(\d+):(\d+) (.+)$", told, re.MULTILINE):
        name = f"{book.lower()}-{chapter}-{verse}"
        yield {"id": name, "text": text, "book": book, "chapter": int(chapter), "verse": int(verse)}


if __name__ == "__main__":
    lines = [json.dumps(verse) + "\n" for book, passage in BOOKS.items() for verse in verses(book, passage)]
    Path(__file__).with_name("kjv-wisdom.jsonl").write_text("".join(lines), encoding="utf-8")
