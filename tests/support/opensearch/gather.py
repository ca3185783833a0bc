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

from tests.support.opensearch.artifacts import KNN, MODULES, SERVER, VERSION, descriptor, parent, parts

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

# The Java agent that would read it is not loaded, and the server refuses an unused policy.
POLICY = "plugin-security.policy"


def cached() -> Path:
    """Return the folder of the cache: in XDG_CACHE_HOME, else in ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "aiomlcommons" / f"opensearch-{VERSION}"


def gathered() -> Path:
    """Return the home, assembled if it is not cached; concurrent runs wait for it and share it.

    Raises RuntimeError with Maven's output where that fails.
    """
    home = cached()
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(home.with_name(home.name + ".lock")):
        if not home.exists():
            _gather(home)
    return home


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    import fcntl  # Unix only; elsewhere the tests that need no server still run

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released by the system, however the process ends
        yield


def _gather(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="gather-") as folder:
        jars, made = Path(folder) / "jars", Path(folder) / "home"
        _download(jars)
        _put_together(jars, made)
        _let_all_read(made)
        made.rename(home)  # atomic


def _download(jars: Path) -> None:
    for name, pom in parts().items():
        (jars / name).mkdir(parents=True)
        (jars / name / "pom.xml").write_text(pom)
    (jars / "pom.xml").write_text(parent())
    command = ["mvn", "--batch-mode", "--quiet", COPY, "-DincludeScope=runtime"]
    done = subprocess.run(command, cwd=jars, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"mvn could not gather OpenSearch {VERSION}:\n{(done.stdout + done.stderr)[-3000:]}")


def _put_together(jars: Path, home: Path) -> None:
    _copy(jars / SERVER, home / SERVER)
    known = {jar.name for jar in (home / SERVER).iterdir()}
    for module in MODULES:
        folder = home / "modules" / module.name
        _copy(jars / module.name, folder, known)
        (folder / "plugin-descriptor.properties").write_text(descriptor(module))
    _unpack_knn(jars / KNN, home / "plugins" / KNN, known)


def _copy(part: Path, folder: Path, known: set[str] | None = None) -> None:
    # A class both in lib/ and in a module is "jar hell": the server does not start.
    folder.mkdir(parents=True, exist_ok=True)
    for jar in (part / "target" / "dependency").glob("*.jar"):
        if jar.name not in (known or ()) and not (folder / jar.name).exists():
            shutil.copyfile(jar, folder / jar.name)


def _unpack_knn(part: Path, folder: Path, known: set[str]) -> None:
    (packed,) = (part / "target" / "dependency").glob("*.zip")
    with zipfile.ZipFile(packed) as zipped:
        zipped.extractall(folder)
    _copy(part, folder, known)
    (folder / POLICY).unlink(missing_ok=True)
    _extend_painless_only(folder / "plugin-descriptor.properties")


def _extend_painless_only(properties: Path) -> None:
    # It also extends a plugin that is left out here, without which the server would not start.
    lines = [line for line in properties.read_text().splitlines() if not line.startswith("extended.plugins")]
    properties.write_text("\n".join([*lines, "extended.plugins=lang-painless"]) + "\n")


def _let_all_read(home: Path) -> None:
    # If the tests run as root, the server runs as another user.
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
