"""Diagnoses of clusters whose connectors and tasks hold credentials in their URLs."""

from __future__ import annotations

from pathlib import Path

import orjson

from aiomlcommons import Session
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.models import DeployModel
from aiomlcommons.cli.doctor import as_json, lines
from aiomlcommons.cli.top.snapshot import Watcher
from aiomlcommons.emulator import AT_ONCE, Emulator
from tests.secrets.canaries import Outputs

TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"


async def diagnoses_of_clusters_with_credentials(outputs: Outputs, _: Path) -> None:
    """Diagnose a cluster with a connector and a failed task that hold secrets, and look at it as ``top`` does."""
    plant = outputs.canaries.plant
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.settings.put(persistent={TRUSTED: ["^https://.*$"]})
        user, key = plant("password in the URL of a connector"), plant("key in the URL of a connector")
        await ml.connectors.create(
            "mine",
            version=1,
            protocol="http",
            parameters={"host": "10.0.0.7", "api_key": plant("parameter of a connector")},
            credential={"key": plant("credential of a connector")},
            actions=[ConnectorAction("predict", "POST", f"https://me:{user}@${{parameters.host}}/v1?api_key={key}")],
        )
        await ml.settings.put(persistent={TRUSTED: ["^https://other.example.org/.*$"]})
        model = await ml.models.ensure("all-MiniLM-L6-v2", deploy=False)
        file = f"https://me:{plant('password in the error of a task')}@files.example.org/m.zip?sig={plant('its query')}"
        emulated.faults.fail_task(f"cannot read {file}", on=DeployModel)
        started = await ml.models.deploy(model.model_id)
        for _step in range(3):
            await ml.tasks.get(started.task_id)
        report = await ml.diagnose()
        looked = await Watcher(ml, lambda: 0.0).look()
    found = {finding.what.partition(" (")[0] for finding in report.findings}
    assert {"the host of mine", model.model.name} <= found  # else nothing was searched
    outputs.show("a diagnosis", report)
    outputs.show("a look of top", looked)
    outputs.add("reports as JSON", "a diagnosis", orjson.dumps(as_json(report)))
    for checked in report.checks:
        shown = ["".join(part for part, _style in line) for line in lines(checked, 80)]
        outputs.add("standard output", "doctor", "\n".join(shown))
