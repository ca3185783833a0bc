"""The exports of the package, and the cost of importing it."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import attrs
import pytest

import aiomlcommons
from aiomlcommons import diagnosis, ingest
from aiomlcommons.api.predict import Predict
from aiomlcommons.cli.arguments import parser
from aiomlcommons.ingest import sources
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.lifecycle.ensure import EnsureModel
from aiomlcommons.lifecycle.methods import ModelLife
from tests.support.paths import ROOT


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
        (sources, "with_patience", "with_stall_timeout"),
    ],
)
def test_an_old_name_still_works_and_warns(package: ModuleType, old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{package.__name__}.{old} was renamed to {new}") as caught:
        assert getattr(package, old) is getattr(package, new)
    assert caught[0].filename == __file__
    assert old not in package.__all__


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    late = ("aiohttp", "numpy", "cattrs", "attr", "asyncio", "pathlib", "inspect")
    code = f"import sys, aiomlcommons.cli.arguments; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_a_session_costs_no_class_of_the_api_before_it_is_used() -> None:
    late = ("numpy", "aiohttp", "aiomlcommons.lifecycle.spec", "aiomlcommons.api.agents", "aiomlcommons.api.connectors")
    code = f"import sys; from aiomlcommons import Session; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_a_call_has_its_docs_before_it_is_used() -> None:
    code = "from aiomlcommons import Session; print(Session.predict.__doc__, Session.models.__doc__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == f"{Predict.__doc__} {ModelLife.__doc__}\n"


def test_the_endpoints_are_in_one_order_whatever_was_used_before() -> None:
    orders = set()
    for before in ("", "import aiomlcommons.api.tools; "):
        code = before + "from aiomlcommons import ENDPOINTS; print([one.__name__ for one in ENDPOINTS])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
        orders.add(done.stdout)
    assert len(orders) == 1


@pytest.mark.parametrize("package", [aiomlcommons, ingest, diagnosis], ids=lambda package: package.__name__)
def test_a_lazy_name_comes_from_where_type_checkers_find_it(package: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(package))
    checked = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    twins = [line for line in checked.body if isinstance(line, ast.ImportFrom) and line.module]
    for line in twins:
        for alias in line.names:
            assert getattr(package, alias.name) is getattr(import_module(line.module or ""), alias.name)


def test_neither_help_nor_any_default_value_shows_the_environment() -> None:
    environ = {**os.environ, "OPENSEARCH_PASSWORD": "canary-4711", "SOME_TOKEN": "canary-4712"}
    command = [sys.executable, "-m", "tests.support.signatures"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, cwd=ROOT)  # noqa: S603
    assert "from_env(environ" in done.stdout
    assert "canary" not in done.stdout


def test_importing_the_package_knows_every_endpoint() -> None:
    code = "from aiomlcommons import ENDPOINTS; print(len(ENDPOINTS))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert int(done.stdout) == len(aiomlcommons.ENDPOINTS) > 0


# What a job takes and no caller of ``ml.ingest`` gives.
OWN = {"clock"}


def test_the_three_lists_of_the_options_of_a_job_have_the_same_defaults() -> None:
    method = {name: one.default for name, one in inspect.signature(aiomlcommons.Session.ingest).parameters.items()}
    fields = {one.name: one.default for one in attrs.fields(JobOptions) if one.name not in OWN}
    command = vars(parser().parse_args(["ingest", "in.jsonl", "--model", "m", "--out", "o.jsonl"]))
    assert fields == {name: method[name] for name in fields}
    assert method.keys() - fields.keys() == {"self", "source", "model", "sink", "progress"}
    shared = command.keys() & fields.keys() - {"id"}  # which the command chooses by the source
    assert {name: command[name] for name in shared} == {name: fields[name] for name in shared}
    # The command has other words for some, and none for functions; Backoff is several numbers.
    assert fields.keys() - shared == {"id", "chunk", "ordered", "redeploy", "count_tokens", "backoff"}


def test_ensure_has_one_set_of_defaults() -> None:
    method = {name: one.default for name, one in inspect.signature(ModelLife.ensure).parameters.items()}
    fields = {one.name: one.default for one in attrs.fields(EnsureModel) if one.name not in {"ml", "teller"}}
    assert fields == {name: method[name] for name in fields}
    assert method.keys() - fields.keys() == {"self", "spec", "wait", "progress"}
