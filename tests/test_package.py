"""The exports of the package, and the cost of importing it."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import aiomlcommons
from aiomlcommons import ingest


@pytest.mark.parametrize("package", [aiomlcommons, ingest], ids=lambda package: package.__name__)
def test_every_exported_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nope'"):
        package.nope  # noqa: B018


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        (aiomlcommons, "Prevented", "BlockedBySetting"),
        (ingest, "JobLeft", "JobStopped"),
        (ingest, "Letter", "DeadLetter"),
        (ingest, "Unbalanced", "RowsLost"),
        (ingest, "letters", "read_dead_letters"),
    ],
)
def test_an_old_name_still_works_and_warns(package: ModuleType, old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{package.__name__}.{old} was renamed to {new}") as caught:
        assert getattr(package, old) is getattr(package, new)
    assert caught[0].filename == __file__
    assert old not in package.__all__


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
