"""The command line, examples, help and generated documents, with secrets in arguments and in the environment."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from aiomlcommons.emulator import Emulator
from tests.secrets.canaries import Outputs
from tests.secrets.jobs import ROWS, files
from tests.secrets.servers import SERVERS
from tests.support.paths import ROOT

_Env: TypeAlias = Mapping[str, str]
UNRELATED = ("MY_DB_PASSWORD", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


async def documents(outputs: Outputs, folder: Path) -> None:
    """Search help, defaults and generated documents, as made in an environment of secrets."""
    environment = _environment(outputs, {"OPENSEARCH_PASSWORD": "OPENSEARCH_PASSWORD"})
    code = "import runpy, sys; sys.path.insert(0, 'docs'); m = runpy.run_path(sys.argv[1]); print(m[sys.argv[2]]())"
    ways = (
        ["-m", "tests.support.signatures"],
        ["-c", code, "docs/reference.py", "reference"],
        ["-m", "aiomlcommons", "ingest", "--help"],
        ["-c", code, "docs/trouble.py", "page"],
        ["-m", "aiomlcommons", "--help"],
        ["-m", "aiomlcommons", "endpoints"],
        ["-m", "aiomlcommons", "help", "configuration"],
    )
    for words in outputs.some(ways):
        await _ran(outputs, "documents", words, environment, ROOT, fails=False)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        outputs.add("documents of the repository", path.name, path.read_bytes())


async def commands(outputs: Outputs, folder: Path) -> None:
    """Run commands that succeed and that fail, on a cluster with a password."""
    plant = outputs.canaries.plant
    emulator, password = Emulator(), plant("OPENSEARCH_PASSWORD")
    (folder / "rows.jsonl").write_bytes(ROWS)
    async with emulator.serve(username="admin", password=password) as url:
        right = _environment(outputs, {"OPENSEARCH_PASSWORD": "OPENSEARCH_PASSWORD"})
        right |= {"OPENSEARCH_URL": url, "OPENSEARCH_USERNAME": "admin"}
        wrong = {**right, "OPENSEARCH_PASSWORD": plant("OPENSEARCH_PASSWORD that is wrong")}
        in_url = {**right, "OPENSEARCH_URL": url.replace("://", f"://admin:{password}@")}
        in_url = {name: value for name, value in in_url.items() if name != "OPENSEARCH_USERNAME"}
        await _on_a_cluster(outputs, folder, right, wrong, in_url)
        await _by_options_and_profiles(outputs, folder, url, password)
    for name in outputs.some(("refused", "quotes in a 401", "quotes in a 500", "untrusted")):
        async with SERVERS[name]() as url:
            with_user = url.replace("://", f"://admin:{plant('--url of the command line')}@")
            for words in (["call", "info"], ["ingest", "rows.jsonl", "--model", "m", "--out", f"{name}.jsonl"]):
                await _ran(outputs, name, _command([*words, "--url", with_user]), _environment(outputs, {}), folder)
                await _ran(outputs, name, _command(words), {**right, "OPENSEARCH_URL": url}, folder)
    files(outputs, "files of commands", folder)


async def _on_a_cluster(outputs: Outputs, folder: Path, right: _Env, wrong: _Env, in_url: _Env) -> None:
    plant = outputs.canaries.plant
    key = plant("credential= of the command line")
    connector = ["name=c", "version=1", "protocol=http", 'parameters={"a": "b"}', f'credential={{"key": "{key}"}}']
    job = ["ingest", "rows.jsonl", "--model", "all-MiniLM-L6-v2"]
    remote = f"http://me:{plant('URL of a source on the command line')}@127.0.0.1:1/a.jsonl?sig={plant('its query')}"
    calls: list[tuple[list[str], _Env]] = [
        (["call", "info"], right),
        (["call", "info"], in_url),
        (["call", "info"], wrong),
        (["call", "connectors", "create", *connector], right),
        (["call", "connectors", "create", "name=c", f'credentail={{"key": "{key}"}}'], right),
        (["call", "connectors", "create", "name=c", f"credential={key}"], right),
        (["call", "connectors", "update", "c", f'credential={{"key": ["{key}"]}}'], right),
        (["call", "connectors", "search"], right),
        (["settings", "set", "only_run_on_ml_node=false", "native_memory_threshold=100"], right),
        (["models", "ensure", "all-MiniLM-L6-v2"], right),
        ([*job, "--out", "a.jsonl", "--checkpoint", "a.checkpoint"], right),
        ([*job, "--index", "made"], in_url),
        ([*job, "--out", "b.jsonl"], wrong),
        (["ingest", remote, "--model", "all-MiniLM-L6-v2", "--out", "c.jsonl"], right),
        (["tasks", "list"], right),
        (["models", "list", "--json"], right),
        (["doctor"], in_url),
        (["doctor"], wrong),
        (["top", "--once"], in_url),
    ]
    for words, environment in outputs.some(calls):
        await _ran(outputs, " ".join(words[:3]), _command(words), environment, folder)


async def _by_options_and_profiles(outputs: Outputs, folder: Path, url: str, password: str) -> None:
    """Give passwords by --user and in the configuration file, right, wrong, and where they do not fit."""
    plant, environment = outputs.canaries.plant, _environment(outputs, {})
    environment |= {"AIOMLCOMMONS_CONFIG": "config.toml", "OPENSEARCH_URL": url}
    kept, wrong = plant("password of a profile"), plant("password of a profile with an unknown key")
    table = f'[right]\nuser = "admin"\npassword = "{password}"\n[wrong]\nuser = "admin"\npassword = "{kept}"\n'
    table += f'[typo]\nuser = "admin"\npasword = "{wrong}"\n[kind]\nuser = "admin"\npassword = ["{wrong}"]\n'
    (folder / "config.toml").write_text(table)
    user, mistyped = plant("--user of the command line"), plant("--pasword of the command line")
    job = ["ingest", "rows.jsonl", "--model", "no-such-model", "--out", "d.jsonl"]
    calls = [
        *(["models", "list", "--profile", name, "-vv"] for name in ("right", "wrong", "typo", "kind")),
        ["--user", f"admin:{user}", "models", "list", "-vv"],
        ["--user", f"admin:{user}", *job],
        ["--user", f"admin:{password}", *job],
        [f"--user=admin:{user}", "models", "list", "--ulr", "x"],
        [f"--pasword={mistyped}", "models", "list"],
        ["models", "list", f"--user=:{user}"],
        ["models", "list", "--user", f"admin:{user}", "--url", f"http://me:{user}@127.0.0.1:1"],
    ]
    for words in outputs.some(calls):
        await _ran(outputs, " ".join(words[:1]).partition("=")[0], _command(words), environment, folder)
    (folder / "config.toml").unlink()  # it holds what it was given


def _command(words: list[str]) -> list[str]:
    return ["-m", "aiomlcommons", *words]


def _environment(outputs: Outputs, named: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process with a secret in each of some variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENSEARCH_")}
    secrets = {name: outputs.canaries.plant(f"environment: {name}") for name in UNRELATED}
    # Nobody is there: trust_env is off unless somebody asks for it.
    proxies = {name: f"http://me:{outputs.canaries.plant(f'environment: {name}')}@127.0.0.1:1" for name in PROXIES}
    named = {name: outputs.canaries.plant(place) for name, place in named.items()}
    return {**kept, **secrets, **proxies, "NO_PROXY": "", **named, "PYTHONPATH": str(ROOT)}


async def _ran(
    outputs: Outputs, where: str, words: list[str], environment: _Env, folder: Path, *, fails: bool = True
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert fails or process.returncode == 0, said.decode()
    outputs.add("standard output", where, printed)
    outputs.add("standard error", where, said)
