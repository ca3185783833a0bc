"""Hints that explain terse server messages and name the remedy; errors append them to their message."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiomlcommons.http import NO_CREDENTIALS
from aiomlcommons.trouble.kinds import Kind, Party, Trouble

ARTIFACTS = "artifacts.opensearch.org"
"""The host of the pretrained models, which the cluster itself downloads."""

BREAKERS = {
    "Native Memory Circuit Breaker is open": (
        "a node's memory is fuller than plugins.ml_commons.native_memory_threshold allows (default 90 %)"
    ),
    "Memory Circuit Breaker is open": (
        "a node's JVM heap is fuller than plugins.ml_commons.jvm_heap_memory_threshold allows (default 85 %)"
    ),
    "Disk Circuit Breaker is open": (
        "a node's disk has less room than plugins.ml_commons.disk_free_space_threshold demands (default 5gb)"
    ),
    "All nodes' memory usage exceeds limitation": (
        "every node's JVM heap is fuller than plugins.ml_commons.task_dispatch_policy least_load allows (85 %)"
    ),
    "All nodes' executing ML task count reach limitation": (
        "every node has as many tasks under way as plugins.ml_commons.max_ml_task_per_node allows (default 10)"
    ),
    "[parent] Data too large": (
        "a node's JVM heap is fuller than indices.breaker.total.limit allows (default 95 %), which passes: send fewer "
        "or smaller requests at once, or give the nodes more heap"
    ),
}
"""What each circuit breaker measures and the setting that limits it, by its message. The first match counts, because
the message of an earlier breaker contains that of a later one."""

BLOCKS = {
    "cluster create-index blocked": (
        "no index can be created, by cluster.blocks.create_index: OpenSearch sets it while the disk of every node is "
        "above its high watermark, and lifts it once there is room again"
    ),
}
"""What a block of the cluster means that does not say why it is there, by its message."""

# The credential is the connector's, and changing the session's own would not help.
_CONNECTORS = (
    "; the model's provider refuses the credential of its connector, not yours: undeploy the model, update the "
    "connector (ml.connectors.update(connector_id, credential={...})), and deploy it again"
)
PROVIDERS: Mapping[Kind, str] = {
    Kind.CREDENTIAL: _CONNECTORS,
    Kind.QUOTA: "; the quota of the account at the model's provider is spent: raise its limit there, and try again",
    Kind.MISSING: (
        "; the model's provider has no such model, deployment or route: correct the name or the URL in its connector"
    ),
    Kind.TOO_LONG: "; send fewer or shorter texts, or let the provider truncate them if it can",
    Kind.DOCUMENT: "; the model's provider refuses the content of the text",
}
"""What helps against each kind of error of a provider."""
FORBIDDEN = (
    "; the model's provider refuses this: the credential of its connector lacks a right, or a firewall refuses the text"
)
"""What a provider's 403 may mean that says no more."""

CONNECTORS = {
    "not matching the trusted connector endpoint regex": (
        'the cluster calls only hosts that it trusts: `await ml.settings.trust("https://...")` adds that of the '
        "connector to plugins.ml_commons.trusted_connector_endpoints_regex"
    ),
    "host name has private ip address": (
        "the cluster calls private addresses only with plugins.ml_commons.connector.private_ip_enabled: "
        "`await ml.settings.apply(MLSettings(connector_private_ip_enabled=True))`"
    ),
}
"""What helps where a cluster refuses the URL of a connector, by its message."""

TENANT = "; the cluster has many tenants: name yours in tenant_id=... or OPENSEARCH_TENANT_ID"
"""What helps against a 403 of a cluster with multi-tenancy."""
AMAZON = (
    "; Amazon OpenSearch Service does not allow this request, or not this setting: "
    "https://docs.aws.amazon.com/opensearch-service/latest/developerguide/supported-operations.html"
)
_WHERE = "in auth=..., or in OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD"
_UNAUTHORIZED = {
    NO_CREDENTIALS: f"; the request carried no credentials: give them {_WHERE}",
    "bearer": "; check the token in auth=..., and whether the cluster is configured for such tokens",
    "aws4-hmac-sha256": (
        "; the request was signed for AWS, which only Amazon's clusters understand: for another one give a user name "
        "and password, or a token, in auth=..., without AwsAuth, OPENSEARCH_AWS_REGION and OPENSEARCH_AWS_SERVICE"
    ),
}
# Texts, which are compiled where one is looked for: at import they would take a hundredth of its time.
_REFUSED_BY_AMAZON = r"Your request:? '[^']*' (payload )?is not allowed"

# A whole message: the text of Java's UnknownHostException is the host name and nothing else.
_HOST = r"(?:[\w-]+\.)+[a-z]{2,}"
_UNKNOWN = r"UnknownHostException: (\S+?)(?=[:,;}\"\s]|$)|^(\S+): (?:Name or service not known|Temporary fail)"
_NO_WAY = (
    "Connection refused|Connection timed out|[Cc]onnect timed out|Read timed out|Connection reset|No route to host|"
    "(?:Network|Host) is unreachable"
)
_NO_TRUST = "SSL|PKIX path|certificate|handshake"
_BAD_NAME = r"Is a directory|Illegal character in path|\.pt file not found"
_NO_FILE = r"(?:^|FileNotFoundException: )(https?://\S+)"
_STACK = r"\s+at \S+\(|\s*\.\.\. \d+ more"
_LOCAL = "register it from a local file (FileModel, or `aiomlcommons models upload PATH`)"


def blocked(words: str) -> str:
    """Return a hint if a breaker is open, a block is set, or a connector's URL is refused; else an empty string."""
    return next((f"; {hint}" for sign, hint in (BREAKERS | BLOCKS | CONNECTORS).items() if sign in words), "")


def provider(trouble: Trouble) -> str:
    """Return a hint for an error of a remote model's provider; empty for any other, and where none is needed."""
    return PROVIDERS.get(trouble.kind, "") if trouble.party is Party.PROVIDER else ""


def unauthorized(scheme: str) -> str:
    """Return what to check after a 401, by the scheme of the credentials that were sent."""
    return _UNAUTHORIZED.get(scheme, f"; check the user name and password, or the token, {_WHERE}")


def amazon(words: str) -> str:
    """Return a hint if a domain of Amazon OpenSearch Service refuses a request or a setting; else an empty string."""
    return AMAZON if re.match(_REFUSED_BY_AMAZON, words) else ""


def fetching(words: str) -> str:
    """Return a hint if the cluster could not download a model's file; else an empty string."""
    if host := _host_of(words):
        what = "where the pretrained models are" if host == ARTIFACTS else "of the model's URL"
        return f"; the cluster cannot find the host {host}, {what} (no internet, or no DNS): {_LOCAL}"
    if re.search(_NO_WAY, words):
        return f"; the cluster cannot reach the host of the model's file: {_LOCAL}"
    if re.search(_NO_TRUST, words):
        return f"; the cluster cannot establish TLS with the host of the model's file: {_LOCAL}"
    if found := re.search(_NO_FILE, words):
        return f"; there is no file at {found[1]}, as the cluster sees it"
    return ""


def deploying(words: str) -> str:
    """Return a hint if a node could not deploy a model because of its name; else an empty string."""
    if re.search(_BAD_NAME, words):
        return "; a model whose name ends in a file extension, such as .zip, cannot be deployed: choose another name"
    return ""


def of_task(task_type: str | None, words: str) -> str:
    """Return a hint for the error message of a failed task; empty if the message is clear by itself."""
    message = without_stack(words)
    if found := blocked(message):
        return found
    if task_type in {"REGISTER_MODEL", "UPLOAD_MODEL"}:
        return fetching(message)
    return deploying(message) if task_type in {"DEPLOY_MODEL", "LOAD_MODEL"} else ""


def without_stack(words: str) -> str:
    """Remove the lines of a Java stack trace, which old servers put into a task's error, and duplicate lines."""
    return "\n".join(dict.fromkeys(line for line in words.splitlines() if not re.match(_STACK, line))) or words


def _host_of(words: str) -> str:
    if re.fullmatch(_HOST, words.strip()):
        return words.strip()
    found = re.search(_UNKNOWN, words)
    return (found[1] or found[2] or "") if found else ""
