"""Broken clusters, what the doctor says of each, and how its own words mend it."""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
import attrs

from aiomlcommons import Session, cli
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.models import DeployModel
from aiomlcommons.diagnosis import Finding, Report
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.emulator.machine import GB
from aiomlcommons.emulator.security import Security
from tests.support.paths import MODELS

PRETRAINED = "all-MiniLM-L6-v2"


@attrs.frozen
class Broken:
    """A cluster to break: the emulator, and a session with it that may still do everything."""

    emulated: Emulator
    ml: Session


@attrs.frozen
class Case:
    """A broken cluster.

    Attributes:
        name: What is broken.
        check: The check that finds it.
        what: How the finding begins.
        command: How the command that mends it begins.
        harm: Breaks the cluster.
        version: The version of the server.
        words: What stands in a command for something that only the user knows.
        warns: Whether the finding is only a warning.
    """

    name: str
    check: str
    what: str
    command: str
    harm: Callable[[Broken], Awaitable[object]]
    version: str = "3.4.0"
    words: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    warns: bool = False


@asynccontextmanager
async def broken(case: Case) -> AsyncGenerator[tuple[str, Session]]:
    """Serve a cluster that is broken as a case says; give its URL and a session with it."""
    emulated = Emulator(Cluster(version=case.version), refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url, retries=0) as ml:
        await ml.settings.allow_first_model()
        await case.harm(Broken(emulated, ml))
        yield url, ml


def found_by(case: Case, report: Report) -> list[Finding]:
    """Return the findings that begin as those of a case."""
    checked = next((checked for checked in report.checks if checked.name == case.check), None)
    return [finding for finding in checked.findings if finding.what.startswith(case.what)] if checked else []


async def mend(case: Case, finding: Finding, url: str, ml: Session) -> int:
    """Run the command of a finding; return its exit code. One of ``curl`` is sent as it says."""
    program, *words = shlex.split(finding.command)
    words = [known for word in words for known in case.words.get(word, [word])]
    if program == "curl":
        body = words[words.index("-d") + 1]
        path = next(word for word in words if word.startswith("http")).removeprefix(url)
        response = await ml.request(words[words.index("-X") + 1], path, body=body)
        return int(response.status >= 300)
    assert program == "aiomlcommons"
    yes = ["--yes"] if words[:2] == ["models", "delete"] else []
    return await anyio.to_thread.run_sync(cli.main, [*words, *yes, "--url", url])


# ---- how they are broken ---------------------------------------------------------------------------------------------


async def no_ml_node(broken: Broken) -> None:
    await broken.ml.settings.ml_on_all_nodes(False)


async def all_excluded(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.exclude_nodes._name": "emulator"})


async def heap_full(broken: Broken) -> None:
    broken.emulated.cluster.machine.heap = 92


async def heap_nearly_full(broken: Broken) -> None:
    broken.emulated.cluster.machine.heap = 83


async def disk_full(broken: Broken) -> None:
    broken.emulated.cluster.machine.free_disk = 4 * GB


async def memory_full(broken: Broken) -> None:
    broken.emulated.cluster.machine.memory = 100


async def no_local_models(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.local_model.enabled": False})


async def no_remote_models(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.remote_inference.enabled": False})


async def no_uploads(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.allow_registering_model_via_local_file": False})


async def no_urls(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.allow_registering_model_via_url": False})


async def restarted(broken: Broken) -> None:
    await broken.ml.models.ensure(PRETRAINED)
    broken.emulated.restart()


async def stuck(broken: Broken) -> None:
    model = await broken.ml.models.ensure(PRETRAINED, deploy=False)
    broken.emulated.faults.hang_task()
    await broken.ml.models.deploy(model.model_id)
    broken.emulated.restart()


async def deploy_failed(broken: Broken) -> None:
    model = await broken.ml.models.ensure(PRETRAINED, deploy=False)
    broken.emulated.faults.fail_task("Cannot allocate memory", on=DeployModel)
    started = await broken.ml.models.deploy(model.model_id)
    for _ in range(3):
        await broken.ml.tasks.get(started.task_id)


async def too_many_models(broken: Broken) -> None:
    await broken.ml.settings.put(persistent={"plugins.ml_commons.max_model_on_node": 0})
    model = await broken.ml.models.ensure(PRETRAINED, deploy=False)
    started = await broken.ml.models.deploy(model.model_id)
    for _ in range(3):
        await broken.ml.tasks.get(started.task_id)


async def disabled(broken: Broken) -> None:
    model = await broken.ml.models.ensure(PRETRAINED)
    await broken.ml.models.update(model.model_id, is_enabled=False)


async def half_uploaded(broken: Broken) -> None:
    await broken.ml.models.register_meta(
        "half",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="a" * 64,
        function_name="SPARSE_ENCODING",
        total_chunks=2,
    )


async def task_lost(broken: Broken) -> None:
    model = await broken.ml.models.ensure(PRETRAINED, deploy=False)
    broken.emulated.faults.hang_task()
    await broken.ml.models.deploy(model.model_id)
    broken.emulated.restart()
    await broken.ml.models.ensure(PRETRAINED)


async def no_internet(broken: Broken) -> None:
    broken.emulated.faults.no_internet()
    started = await broken.ml.models.register(f"huggingface/sentence-transformers/{PRETRAINED}", version="1.0.2")
    for _ in range(3):
        await broken.ml.tasks.get(started.task_id)


async def untrusted_host(broken: Broken) -> None:
    key = "plugins.ml_commons.trusted_connector_endpoints_regex"
    await broken.ml.settings.put(persistent={key: ["^https://.*$"]})
    await _connector(broken, "models.example.org")
    await broken.ml.settings.put(persistent={key: [r"^https://api\.openai\.com/.*$"]})


async def private_host(broken: Broken) -> None:
    key = "plugins.ml_commons.trusted_connector_endpoints_regex"
    await broken.ml.settings.put(persistent={key: ["^https://.*$"]})
    await _connector(broken, "10.0.0.7")


async def _connector(broken: Broken, host: str) -> None:
    await broken.ml.connectors.create(
        "mine",
        version=1,
        protocol="http",
        parameters={"host": host},
        actions=[ConnectorAction("predict", "POST", "https://${parameters.host}/v1?api_key=canary")],
        credential={"key": "k"},
    )


async def denied(broken: Broken) -> None:
    broken.emulated.cluster.security = Security("ann", ["own_index"], ["cluster:*", "indices:*"])


CASES = (
    Case("no ML node", "nodes", "no node may run local models", "aiomlcommons settings set only_run", no_ml_node),
    Case("all nodes excluded", "nodes", "every node that may", "aiomlcommons settings set exclude_nodes", all_excluded),
    Case("heap full", "memory", "the JVM heap breaker of emulator is open", "aiomlcommons settings set jvm", heap_full),
    Case(
        "heap nearly full",
        "memory",
        "the JVM heap breaker of emulator is about to open",
        "aiomlcommons settings set jvm",
        heap_nearly_full,
        warns=True,
    ),
    Case("disk full", "memory", "the disk breaker of emulator is open", "aiomlcommons settings set disk_", disk_full),
    Case(
        "memory full on 2.7",
        "memory",
        "the memory breaker of emulator is open",
        "aiomlcommons settings set native_memory_threshold=100",
        memory_full,
        version="2.7.0",
    ),
    Case(
        "local models off",
        "settings",
        "local models are switched off",
        "aiomlcommons settings set local_model.enabled=true",
        no_local_models,
    ),
    Case(
        "remote models off",
        "settings",
        "remote models are switched off",
        "aiomlcommons settings set remote_inference.enabled=true",
        no_remote_models,
        warns=True,
    ),
    Case(
        "uploads off",
        "settings",
        "models cannot be registered from a file",
        "aiomlcommons settings set allow_registering_model_via_local_file=true",
        no_uploads,
        warns=True,
    ),
    Case(
        "URLs off",
        "settings",
        "models cannot be registered from a URL",
        "aiomlcommons settings set allow_registering_model_via_url=true",
        no_urls,
        warns=True,
    ),
    Case(
        "restarted",
        "models",
        f"huggingface/sentence-transformers/{PRETRAINED}",
        "aiomlcommons models deploy",
        restarted,
    ),
    Case("stuck", "models", f"huggingface/sentence-transformers/{PRETRAINED}", "aiomlcommons models deploy", stuck),
    Case(
        "deploy failed",
        "models",
        f"huggingface/sentence-transformers/{PRETRAINED}",
        "aiomlcommons models deploy",
        deploy_failed,
    ),
    Case(
        "too many models",
        "models",
        f"huggingface/sentence-transformers/{PRETRAINED}",
        "aiomlcommons models deploy",
        too_many_models,
    ),
    Case(
        "disabled",
        "models",
        f"huggingface/sentence-transformers/{PRETRAINED}",
        "aiomlcommons call models update",
        disabled,
        warns=True,
    ),
    Case("half uploaded", "models", "half (", "aiomlcommons models delete", half_uploaded, warns=True),
    Case("task lost", "tasks", "the task ", "aiomlcommons call tasks delete", task_lost, warns=True),
    Case(
        "no internet",
        "downloads",
        "the cluster cannot find the host artifacts.opensearch.org",
        "aiomlcommons models upload PATH",
        no_internet,
        words={"PATH": [str(MODELS / "tiny-tokenizer.zip"), "--function", "SPARSE_TOKENIZE"]},
    ),
    Case(
        "untrusted host",
        "connectors",
        "the host of mine",
        "aiomlcommons settings set 'trusted_connector_endpoints_regex=[",
        untrusted_host,
        warns=True,
    ),
    Case(
        "private host",
        "connectors",
        "the host of mine",
        "aiomlcommons settings set connector.private_ip_enabled=true",
        private_host,
    ),
    Case("no permissions", "permissions", "the user may not: search models", "curl -u admin -X PUT", denied),
)
"""What is broken; the files that commands name are those of tests/data."""
