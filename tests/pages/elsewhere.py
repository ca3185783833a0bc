"""Pages that have tests of their own, and what these do with the blocks of a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from tests.support.paths import ROOT


@attrs.frozen
class Tested:
    """The test file of a page, and the fences of the blocks that it runs, or only checks."""

    test: str
    run: tuple[str, ...]
    checked: tuple[str, ...] = ()


_GUIDES = "tests/test_documents.py"
TESTED: Mapping[str, Tested] = {
    "README.md": Tested(_GUIDES, ("python",), ("sh",)),
    "CONTRIBUTING.md": Tested("tests/test_contributing.py", (), ("python", "sh", "json")),
    "docs/cli.md": Tested("tests/cli/test_documents.py", ("sh",), ("toml",)),
    "docs/client-or-server.md": Tested(_GUIDES, ("python",)),
    "docs/doctor.md": Tested("tests/diagnosis/test_documents.py", ("python",), ("text",)),
    "docs/embedding.md": Tested(_GUIDES, ("python",)),
    "docs/evaluating.md": Tested("tests/evaluating/test_guide.py", ("python",), ("sh", "python plot", "text")),
    "docs/features.md": Tested("tests/cli/test_documents.py", (), ("sh",)),
    "docs/indices.md": Tested(_GUIDES, ("python",), ("text",)),
    "docs/ingest.md": Tested(_GUIDES, ("python", "python remote"), ("sh",)),
    "docs/logging.md": Tested("tests/test_logging_page.py", ("python",), ("text", "sh")),
    "docs/models.md": Tested(_GUIDES, ("python", "python hub")),
    "docs/pipelines.md": Tested(_GUIDES, ("python",)),
    "docs/reembedding.md": Tested("tests/reembedding/test_night.py", ("python", "sh"), ("text",)),
    "docs/results.md": Tested(_GUIDES, ("python",)),
    "docs/searching.md": Tested(_GUIDES, ("python",), ("sh",)),
    "docs/synchronous.md": Tested("tests/blocking/test_guide.py", ("python",)),
    "docs/tracing.md": Tested("tests/tracing/test_page.py", ("python program",), ("sh",)),
}


def tests() -> list[str]:
    """Return the test files, each once."""
    return sorted({tested.test for tested in TESTED.values()})


def counts() -> Counter[str]:
    """Return how many blocks of these pages are run, checked, or only shown."""
    return Counter(_kind(TESTED[name], fence) for name in TESTED for fence in fences(ROOT / name))


def fences(page: Path) -> Iterator[str]:
    """Yield what the fence of each block says: ``python``, ``python plot``."""
    found = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    yield from (" ".join(fence.split()) for fence in found[::2])


def _kind(tested: Tested, fence: str) -> str:
    language = fence.split()[0] if fence else "text"
    if fence in tested.run:
        return f"{language} run"
    return f"{language} checked" if fence in tested.checked else f"{language} shown"
