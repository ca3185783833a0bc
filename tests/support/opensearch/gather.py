"""Assembles an OpenSearch home with one call of Maven, and caches it for later runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.opensearch.artifacts import MODULES, SERVER, VECTORS, Distribution

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

# The Java agent that would read it is not loaded, and the server refuses an unused policy.
POLICY = "plugin-security.policy"


def cached(wanted: Distribution = VECTORS) -> Path:
    """Return the folder of the cache: in XDG_CACHE_HOME, else in ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "aiomlcommons" / f"opensearch-{wanted.version}"


def gathered(wanted: Distribution = VECTORS) -> Path:
    """Return the home of a distribution, assembled if it is not cached; concurrent runs wait for it and share it.

    Raises RuntimeError with Maven's output where that fails.
    """
    home = cached(wanted)
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(home.with_name(home.name + ".lock")):
        if not home.exists():
            _gather(wanted, home)
    return home


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    import fcntl  # Unix only; elsewhere the tests that need no server still run

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released by the system, however the process ends
        yield


def _gather(wanted: Distribution, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="gather-") as folder:
        jars, made = Path(folder) / "jars", Path(folder) / "home"
        _download(wanted, jars)
        _put_together(wanted, jars, made)
        _let_all_read(made)
        made.rename(home)  # atomic


def _download(wanted: Distribution, jars: Path) -> None:
    for name, pom in wanted.parts().items():
        (jars / name).mkdir(parents=True)
        (jars / name / "pom.xml").write_text(pom)
    (jars / "pom.xml").write_text(wanted.parent())
    command = ["mvn", "--batch-mode", "--quiet", COPY, "-DincludeScope=runtime"]
    done = subprocess.run(command, cwd=jars, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"mvn could not gather OpenSearch {wanted.version}:\n{(done.stdout + done.stderr)[-3000:]}")


def _put_together(wanted: Distribution, jars: Path, home: Path) -> None:
    _copy(jars / SERVER, home / SERVER)
    known = {jar.name for jar in (home / SERVER).iterdir()}
    for module in MODULES:
        folder = home / "modules" / module.name
        _copy(jars / module.name, folder, known)
        (folder / "plugin-descriptor.properties").write_text(wanted.descriptor(module))
    folder = home / "plugins" / wanted.plugin
    _unpack(jars / wanted.plugin, folder, known)
    _extend_only(wanted.extends, folder / "plugin-descriptor.properties")


def _copy(part: Path, folder: Path, known: set[str] | None = None) -> None:
    # A class both in lib/ and in a module is "jar hell": the server does not start.
    folder.mkdir(parents=True, exist_ok=True)
    for jar in (part / "target" / "dependency").glob("*.jar"):
        if jar.name not in (known or ()) and not (folder / jar.name).exists():
            shutil.copyfile(jar, folder / jar.name)


def _unpack(part: Path, folder: Path, known: set[str]) -> None:
    (packed,) = (part / "target" / "dependency").glob("*.zip")
    with zipfile.ZipFile(packed) as zipped:
        zipped.extractall(folder)
    _copy(part, folder, known)
    (folder / POLICY).unlink(missing_ok=True)


def _extend_only(names: str, properties: Path) -> None:
    # It also extends plugins that are left out here, without which the server would not start.
    lines = [line for line in properties.read_text().splitlines() if not line.startswith("extended.plugins")]
    properties.write_text("\n".join([*lines, f"extended.plugins={names}"]) + "\n")


def _let_all_read(home: Path) -> None:
    # If the tests run as root, the server runs as another user.
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
