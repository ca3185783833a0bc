"""The distribution works where nothing else is: installed into a new environment, and used outside of the work tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from aiomlcommons.__about__ import __version__

WHERE = "import aiomlcommons; print(aiomlcommons.__file__)"
DEMO = "examples/embed_corpus.py"


def try_out(dist: Path) -> list[str]:
    """Install wheel and sdist, each into an environment of its own; return what they said when they were used."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        sdist, wheel = next(dist.glob("*.tar.gz")), next(dist.glob("*.whl"))
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        demo = folder / sdist.name.removesuffix(".tar.gz") / DEMO
        return [f"{file.name}: {_use(environment(file, folder / file.suffix[1:]), demo)}" for file in (wheel, sdist)]


def environment(file: Path, folder: Path) -> Path:
    """Install a file of a distribution into a new environment, with what it needs and nothing else."""
    _run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(folder))
    _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(folder), str(file.resolve()))
    return folder


def _use(installed: Path, demo: Path) -> str:
    python = str(installed / "bin" / "python")
    imported = _run(python, "-c", WHERE, cwd=installed)
    if not imported.startswith(str(installed)):
        raise SystemExit(f"another package was imported: {imported}")
    version = _run(str(installed / "bin" / "aiomlcommons"), "--version", cwd=installed)
    if __version__ not in version:
        raise SystemExit(f"`aiomlcommons --version` says {version}, not {__version__}")
    return f"{version}; the demo ends with {_run(python, str(demo), cwd=installed).splitlines()[-1]!r}"


def _run(*command: str, cwd: Path | None = None) -> str:
    outside = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "OPENSEARCH_URL"}}
    done = subprocess.run(command, cwd=cwd, env=outside, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()
