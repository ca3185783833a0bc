"""What the package depends on: no version with a known advisory is allowed, and Pythons are named alike everywhere."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.paths import DATA, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> Iterator[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return map(Requirement, chain(PROJECT["dependencies"], *extras))


def advisories() -> list[tuple[str, str, str]]:
    with (DATA / "advisories.tsv").open(newline="") as file:
        return [(name, fixed, advisory) for name, fixed, advisory, _ in list(csv.reader(file, delimiter="\t"))[1:]]


@pytest.mark.parametrize(("name", "fixed", "advisory"), advisories())
def test_no_version_with_a_known_advisory_is_allowed(name: str, fixed: str, advisory: str) -> None:
    found = [one for one in requirements() if canonicalize_name(one.name) == name]
    assert found, f"nothing depends on {name}: take {advisory} out of advisories.tsv"
    for one in found:
        lowest = min(Version(each.version) for each in one.specifier if each.operator in {">=", "=="})
        assert lowest >= Version(fixed), f"raise {one} to >={fixed}: {advisory}"


def test_every_requirement_has_a_floor() -> None:
    for one in requirements():
        own = canonicalize_name(one.name) == PROJECT["name"]
        assert own or any(each.operator in {">=", "=="} for each in one.specifier), f"{one} allows any version"


def test_ci_runs_every_python_that_is_promised() -> None:
    named = [each.removeprefix("Programming Language :: Python :: ") for each in PROJECT["classifiers"]]
    promised = [each for each in named if each.startswith("3.")]
    assert PROJECT["requires-python"] == f">={promised[0]}"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert [each for each in promised if f'"{each}"' not in workflow] == []
