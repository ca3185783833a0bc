"""Whether a node may run models."""

from __future__ import annotations

from aiomlcommons.api.settings import MLSettings
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.nodes import Node
from aiomlcommons.diagnosis.remedies import setting
from aiomlcommons.lifecycle.remedies import remedy_in

NAME = "nodes"
_NO_NODE = "no eligible node found"


async def check(facts: Facts) -> Checked:
    """Compare the roles of the nodes with what the settings demand of them."""
    nodes = await facts.nodes()
    settings = await facts.settings()
    seen = ", ".join(f"{node.name} ({', '.join(sorted(node.roles)) or 'coordinating only'})" for node in nodes)
    ml_nodes = [node for node in nodes if node.is_ml]
    if not ml_nodes and settings.only_run_on_ml_node:
        return Checked(NAME, seen, [_no_ml_node(facts)])
    runs_models = ml_nodes if settings.only_run_on_ml_node else nodes
    return Checked(NAME, seen, _excluded(runs_models, settings))


def _no_ml_node(facts: Facts) -> Finding:
    remedy = remedy_in(_NO_NODE)
    assert remedy is not None  # noqa: S101 - a line of the table of remedies
    advice = facts.ml.flavor.advice.get(
        remedy.setting,
        "start a node with node.roles: [ml], which is better for large models; or let every node run them:",
    )
    return Finding(
        Severity.PROBLEM,
        "no node may run local models: there is no ML node, and only ML nodes may",
        "plugins.ml_commons.only_run_on_ml_node is true, and no node has the role ml",
        advice=advice,
        **setting({remedy.setting: remedy.value}),
    )


def _excluded(nodes: list[Node], settings: MLSettings) -> list[Finding]:
    excluded = {name.strip() for name in str(settings.exclude_nodes_name or "").split(",")}
    if not nodes or any(node.name not in excluded for node in nodes):
        return []
    return [
        Finding(
            Severity.PROBLEM,
            "every node that may run models is excluded",
            f"plugins.ml_commons.exclude_nodes._name is {settings.exclude_nodes_name}",
            **setting({"exclude_nodes._name": ""}),
        )
    ]
