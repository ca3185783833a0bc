"""The configuration of a secured node: how it proves who it is, which users it believes, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class Subject(TypedDict):
    """What the names of certificates have in common, but for those that only HTTP shows."""

    organization_name: str
    organization_unit_name: str


# The security plugin's own demo user, and the subject of a certificate that may do anything.
ADMIN = ("admin", "admin")
ADMINISTRATOR = "administrator"
NODE = "node"
SUBJECT: Subject = {"organization_name": "tests", "organization_unit_name": "secured"}

# Writers may use the indices of jobs, and nothing else. Guests may do the same, but not with these indices.
WRITER, GUEST = "writer", "guest"
WRITERS, GUESTS = ("ann", "ben", "cyd"), ("eve",)
PATTERNS = {WRITER: "jobs-*", GUEST: "guests-*"}
_CLUSTER = ["cluster:monitor/main", "cluster:monitor/health", "indices:data/write/bulk", "indices:data/read/scroll*"]


def settings(name: str, host: str, seed: int | None) -> Mapping[str, Any]:
    """Return the settings of a node; ``seed`` is the port of one within the cluster that it is to join."""
    files = {"pemcert": "{}.pem", "pemkey": "{}.key", "pemtrustedcas": "ca.pem"}
    pairs = {
        f"plugins.security.ssl.{layer}.{setting}_filepath": file.format(pair)
        for layer, pair in (("transport", "node"), ("http", "http"))
        for setting, file in files.items()
    }
    joining = (
        {"cluster.initial_cluster_manager_nodes": [name], "discovery.seed_hosts": []}
        if seed is None
        else {"discovery.seed_hosts": [f"{host}:{seed}"], "node.roles": ["data", "ingest"]}
    )
    return {
        "cluster.name": "secured",
        "node.name": name,
        **joining,
        **pairs,
        "plugins.security.ssl.transport.enforce_hostname_verification": False,
        "plugins.security.ssl.http.enabled": True,
        "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
        "plugins.security.ssl.http.enforce_cert_reload_dn_verification": False,
        "plugins.security.ssl_cert_reload_enabled": True,
        "plugins.security.allow_default_init_securityindex": True,
        "plugins.security.authcz.admin_dn": [_name(ADMINISTRATOR)],
        "plugins.security.nodes_dn": [_name(NODE)],
        "plugins.security.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
    }


def files(signing_key: str) -> Mapping[str, Any]:
    """Return the files of the plugin's configuration, before its first start; the others are its own."""
    authc = {
        "certificates": _domain(0, "clientcert", username_attribute="cn"),
        "tokens": _domain(1, "jwt", signing_key=signing_key, jwt_header="Authorization", roles_key="roles"),
        "passwords": {**_domain(2, "basic", challenge=True), "authentication_backend": {"type": "intern"}},
    }
    return {
        "config.yml": {**_meta("config"), "config": {"dynamic": {"authc": authc}}},
        "roles.yml": {
            **_meta("roles"),
            **{name: role(pattern) for name, pattern in PATTERNS.items()},
        },
        "roles_mapping.yml": {
            **_meta("rolesmapping"),
            "all_access": {"backend_roles": ["admin"]},
            WRITER: {"users": list(WRITERS)},
            GUEST: {"users": list(GUESTS)},
        },
    }


def role(pattern: str) -> dict[str, Any]:
    """Return a role that may use the indices of a pattern."""
    index = {"index_patterns": [pattern], "allowed_actions": ["*"]}
    return {"cluster_permissions": _CLUSTER, "index_permissions": [index]}


def _domain(order: int, kind: str, *, challenge: bool = False, **config: Any) -> dict[str, Any]:
    return {
        "http_enabled": True,
        "transport_enabled": True,
        "order": order,
        "http_authenticator": {"type": kind, "challenge": challenge, "config": config},
        "authentication_backend": {"type": "noop"},
    }


def _meta(kind: str) -> dict[str, Any]:
    return {"_meta": {"type": kind, "config_version": 2}}


def _name(common: str) -> str:
    return f"CN={common},OU={SUBJECT['organization_unit_name']},O={SUBJECT['organization_name']}"
