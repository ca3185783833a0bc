"""An OpenSearch home is assembled once for all runs, atomically, and missing prerequisites are named."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.opensearch import fixture
from tests.support.opensearch.artifacts import SECURED, VECTORS, Distribution
from tests.support.opensearch.gather import cached, gathered
from tests.support.opensearch.java import java

# A fake mvn: it logs that it was called, and copies one jar of its own and one shared one into every part.
MAVEN = f"""#!{sys.executable}
import pathlib, zipfile
calls = pathlib.Path(__file__).with_name("calls")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
for pom in pathlib.Path.cwd().glob("*/pom.xml"):
    jars = pom.parent / "target" / "dependency"
    jars.mkdir(parents=True)
    for name in ("shared", pom.parent.name):
        (jars / f"{{name}}.jar").write_text(name)
    if "zip" in pom.read_text():
        with zipfile.ZipFile(jars / "plugin.zip", "w") as zipped:
            zipped.writestr("plugin-descriptor.properties", "name=it\\nextended.plugins=lang-painless,other\\n")
            zipped.writestr("plugin-security.policy", "grant")
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Yield an empty cache, and a folder of programs that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_runs_at_the_same_time_gather_once(tools: Path) -> None:
    write_program(tools / "mvn", MAVEN)
    with ThreadPoolExecutor(4) as pool:
        homes = {future.result() for future in [pool.submit(gathered) for _ in range(4)]}
    assert homes == {cached()}
    assert (tools / "calls").read_text() == "x"


def test_a_jar_of_the_server_is_left_out_of_modules_and_plugins(tools: Path) -> None:
    write_program(tools / "mvn", MAVEN)
    jars = sorted(str(jar.relative_to(cached())) for jar in gathered().rglob("*.jar"))
    assert [jar for jar in jars if "shared" in jar] == ["lib/shared.jar"]
    assert "modules/reindex/reindex.jar" in jars
    assert "plugins/opensearch-knn/opensearch-knn.jar" in jars


@pytest.mark.parametrize(("wanted", "extends"), [(VECTORS, "lang-painless"), (SECURED, "")])
def test_the_plugin_asks_for_nothing_that_is_not_there(tools: Path, wanted: Distribution, extends: str) -> None:
    write_program(tools / "mvn", MAVEN)
    folder = gathered(wanted) / "plugins" / wanted.plugin
    assert (folder / "plugin-descriptor.properties").read_text().splitlines()[1:] == [f"extended.plugins={extends}"]
    assert not (folder / "plugin-security.policy").exists()


def test_a_failed_gathering_says_why_and_leaves_no_home(tools: Path) -> None:
    write_program(tools / "mvn", f"#!{sys.executable}\nraise SystemExit('no such artifact')\n")
    with pytest.raises(RuntimeError, match="no such artifact"):
        gathered()
    assert [path.name for path in cached().parent.iterdir()] == [f"{cached().name}.lock"]


def test_a_java_that_is_too_old_is_passed_over(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say = "#!/bin/sh\necho 'openjdk version \"{}\" 2025-04-15' >&2\n"
    write_program(tools / "old" / "bin" / "java", say.format("17.0.15"))
    write_program(tools / "java", say.format("21"))
    monkeypatch.setenv("JAVA_HOME", str(tools / "old"))
    assert java() == tools / "java"


def test_a_machine_without_maven_is_told_so(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixture, "java", lambda: tools / "java")
    assert "no mvn on the PATH" in (fixture.missing() or "")
    cached().mkdir(parents=True)
    assert fixture.missing() is None


def test_what_is_missing_skips_for_a_person_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Java"):
        fixture.refuse("no Java")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no Java"):
        fixture.refuse("no Java")
