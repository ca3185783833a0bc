"""Synthetic rows of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from aiomlcommons.http import JSON

GROUP = {"name": "g", "latest_version": 0, "access": "public"}


def lines(path: Path, *rows: dict[str, Any]) -> str:
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)) + b"\n\n")
    return str(path)


def row(case: str, method: str, path: str, **response: Any) -> dict[str, Any]:
    answer = {"status": 200, "content_type": JSON, **response}
    return {"case": case, "request": {"method": method, "path": f"/_plugins/_ml{path}"}, "response": answer}
