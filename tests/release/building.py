"""The distribution is the same whoever builds it: built twice from the last commit, in unlike surroundings."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import attrs

# What must not show: the folder, the user's mask, the time zone, the language, the seed of Python's hashes.
SURROUNDINGS: Mapping[str, Mapping[str, str]] = {
    "one": {"umask": "022", "TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    "another/and deeper": {"umask": "077", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
}


class Unlike(Exception):
    """Two builds of one commit differ, or a build lacks a file of the package."""


@attrs.frozen
class Built:
    """A file of a distribution."""

    path: Path
    digest: str


def built(commit: str, to: Path) -> list[Built]:
    """Build a commit twice and keep the files in a folder, with their SHA-256. Raises Unlike."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_build(commit, Path(folder, where), how) for where, how in SURROUNDINGS.items())
        found = [Built(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in first]
        for path, other in zip(first, second, strict=True):
            if path.name != other.name or path.read_bytes() != other.read_bytes():
                raise Unlike(f"{path.name} and {other.name}, built from one commit, differ")
        _check_whole(commit, next(path for path in first if path.suffix == ".whl"))
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        kept = [attrs.evolve(each, path=Path(shutil.copy(each.path, to))) for each in found]
    (to / "SHA256SUMS").write_text("".join(f"{each.digest}  {each.path.name}\n" for each in kept))
    return kept


def time_of(commit: str) -> str:
    """Return when a commit was made, in seconds since the epoch, which is the time of the files built from it."""
    return os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct", commit).decode().strip()


def _build(commit: str, folder: Path, how: Mapping[str, str]) -> list[Path]:
    tree, dist = folder / "tree", folder / "dist"
    tree.mkdir(parents=True)
    umask = int(how["umask"], 8)
    unpack = ["tar", "--extract", "--directory", str(tree)]
    subprocess.run(unpack, input=_git("archive", commit), check=True, umask=umask)
    # Without isolation: the version of hatchling stands in the wheel, so it is that of the extra `release`.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(tree)]
    environment = {**os.environ, **how, "SOURCE_DATE_EPOCH": time_of(commit)}
    done = subprocess.run(command, env=environment, umask=umask, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return sorted(dist.iterdir())


def _check_whole(commit: str, wheel: Path) -> None:
    names = _git("ls-tree", "-r", "--name-only", commit, "aiomlcommons").decode().splitlines()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    if unlike := held.symmetric_difference(names):
        raise Unlike(f"{wheel.name} does not hold what the package has: {', '.join(sorted(unlike))}")


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout
