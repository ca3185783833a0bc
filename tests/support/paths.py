"""Paths in this repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"
MODELS = DATA / "models"
CORPUS = ROOT / "examples" / "data" / "kjv-wisdom.jsonl"
