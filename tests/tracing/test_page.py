"""docs/tracing.md: its program runs, and it names every span attribute, event and metric, and no other."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aiomlcommons.tracing.telemetry import SWITCH
from tests.support.documents import guide
from tests.support.import_graph import imports, modules
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
NAME = re.compile(r"(?:db|gen_ai|server|url|http|error|exception|aiomlcommons)\.[a-z_.]+")


def told() -> Iterator[str]:
    """Yield the names in the modules that tell something; one that ends with a dot begins the names of several."""
    for module, path in modules().items():
        if module.startswith("tracing.") or any(other.startswith("tracing.") for other in imports(module)):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                    yield node.value


def named() -> set[str]:
    """Return the names in code on the page, that of several without its asterisk."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
    return {name.removesuffix("*") for name in spans if NAME.fullmatch(name.removesuffix("*"))}


def test_the_page_names_all_that_is_told() -> None:
    assert len(set(told())) > 30
    assert set(told()) - named() == set()


def test_the_page_names_nothing_else() -> None:
    several = tuple(name for name in told() if name.endswith("."))
    assert {name for name in named() - set(told()) if not name.startswith(several)} == set()


@pytest.mark.parametrize("switch", ["true", "false"])
def test_the_program_prints_its_spans_and_metrics_unless_it_is_switched_off(switch: str) -> None:
    (code,) = guide(" program", "tracing.md")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENSEARCH_"))}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**kept, SWITCH: switch},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = [word for word in ("models.ensure", "embeddings ", "db.client.operation.duration") if word in done.stdout]
    assert len(printed) == (3 if switch == "true" else 0)
    assert '"name": "answer"' in done.stdout
    assert SWITCH in PAGE
