"""The recorded servers: each recording is replayed to an emulator of the same version and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import attrs

from tests.wire.recordings import Exchange


@attrs.frozen
class RecordedServer:
    """A recorded server. Without the security plugin there are no users and owners."""

    version: str
    has_users: bool = False
    streams: bool = False
    switches: tuple[str, ...] = ()


SWITCHES = ("mcp_server_enabled", "execute_tools_enabled", "index_insight_feature_enabled")
STREAMS = ("stream_enabled", "ag_ui_enabled")
SECURE_34 = RecordedServer("3.4.0", has_users=True)
PLAIN_38 = RecordedServer("3.8.0")
OLD = RecordedServer("2.4.1", has_users=True)

SERVERS: Mapping[str, Mapping[str, RecordedServer]] = {
    "ml-commons-2.4.1.jsonl": {"*": OLD},
    "ml-commons-3.8.0.jsonl": {"*": PLAIN_38},
    "ml-commons-3.9.0.jsonl": {"*": RecordedServer("3.9.0", switches=SWITCHES)},
    "ml-commons-runs.jsonl": {
        "secure34.*": attrs.evolve(SECURE_34, switches=("mcp_server_enabled",)),
        "stream38.*": RecordedServer("3.8.0", streams=True, switches=STREAMS),
        "new39.*": RecordedServer("3.9.0", switches=SWITCHES),
        "*": attrs.evolve(PLAIN_38, switches=SWITCHES),
    },
    "opensearch-3.8.0-indices.jsonl": {"*": PLAIN_38},
    "opensearch-3.8.0-neural.jsonl": {"*": PLAIN_38},
    "opensearch-3.8.0-live.jsonl": {"*": PLAIN_38},
    "opensearch-3.8.0-api.jsonl": {"*": PLAIN_38},
    "opensearch-3.8.0-pipelines.jsonl": {"*": PLAIN_38},
    "real-servers.jsonl": {
        "real.3_9.*": RecordedServer("3.9.0"),
        "real.3_8.*": PLAIN_38,
        "*": SECURE_34,
    },
    "races-and-restarts.jsonl": {
        "real.2_4.*": OLD,
        "real.secured.*": SECURE_34,
        "real.agent.type_unknown.1": SECURE_34,
        "*": PLAIN_38,
    },
}
"""Servers by a pattern of exchange names; the first match counts."""


def server_of(exchange: Exchange) -> RecordedServer:
    """Return the server of an exchange."""
    found = SERVERS.get(exchange.file, {"*": SECURE_34})
    return next(server for pattern, server in found.items() if fnmatchcase(exchange.case, pattern))


def by_server(rows: Iterable[Exchange]) -> dict[RecordedServer, list[Exchange]]:
    """Group the exchanges of a file by server, in order."""
    found: dict[RecordedServer, list[Exchange]] = {}
    for row in rows:
        found.setdefault(server_of(row), []).append(row)
    return found
