"""The shape of the package: what it exports, and which way its imports point."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import aiomlcommons
from aiomlcommons import ingest

ROOT = Path(aiomlcommons.__file__).parent
# A module may import from its own layer and from those before it.
LAYERS = (
    "__about__ lazy http secret backoff defects tls rules trouble refusal",
    "endpoint errors",
    "namespace hooks unions convert auth vectors transport aiohttp_transport",
    "wire stream exchange version",
    "api",
    "routes waiting task pipeline frames connectors",
    "inference",
    "client",
    "models",
    "ingest",
    "session",
    "integrations",
    "emulator",
    "cli __main__",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}


def _modules() -> list[Path]:
    return [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def _imported(nodes: list[ast.stmt]) -> Iterator[str]:
    """What is imported at run time when a module is: not for type checkers only, not inside functions."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.startswith("aiomlcommons."))


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    for name in _imported(ast.parse(path.read_text()).body):
        other = name.split(".")[1]
        assert LAYER.get(other, 0) <= LAYER[own], f"{own} must not import {name}"


@pytest.mark.parametrize("package", [aiomlcommons, ingest], ids=lambda package: package.__name__)
def test_every_exported_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nope'"):
        package.nope  # noqa: B018


def test_help_does_not_wait_for_aiohttp_and_numpy() -> None:
    code = (
        "import sys, aiomlcommons.cli; print([name for name in ('aiohttp', 'numpy', 'cattrs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_importing_the_package_knows_every_endpoint() -> None:
    code = "from aiomlcommons import ENDPOINTS; print(len(ENDPOINTS))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert int(done.stdout) == len(aiomlcommons.ENDPOINTS) > 0
