"""Finds a Java runtime for the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

NEEDED = 21

_INSTALLED = ("/usr/lib/jvm", "*/bin/java"), ("/Library/Java/JavaVirtualMachines", "*/Contents/Home/bin/java")


def java() -> Path | None:
    """Return the first Java 21 or newer: of JAVA_HOME, of PATH, or of those installed; else None."""
    return next((found for found in _found() if _version(found) >= NEEDED), None)


def _found() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    for folder, pattern in _INSTALLED:
        yield from sorted(Path(folder).glob(pattern))


def _version(found: Path) -> int:
    try:
        said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    except OSError:  # JAVA_HOME may name a deleted folder
        return 0
    number = re.search(r'version "(\d+)', said)
    return int(number[1]) if number else 0
