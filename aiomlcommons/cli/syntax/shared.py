"""The options that every command takes, before it, between its words and after them; the nearest to its end counts."""

from __future__ import annotations

import argparse
from typing import Any

# The names in `wire.flavors`, which is not imported for them: `--help` would take twice as long.
FLAVORS = ("opensearch", "managed", "aoss")

DEFAULTS: dict[str, Any] = {
    "url": None,
    "user": None,
    "ca_certs": None,
    "insecure": False,
    "profile": None,
    "flavor": None,
    "emulator": False,
    "verbose": 0,
    "quiet": False,
    "json": False,
    "local": False,
}
"""What these options are if they are not given."""


def add_options(parser: argparse.ArgumentParser, *, cluster: bool = True, output: bool = True) -> None:
    """Add the options to a parser; those that are False are taken, but not shown.

    They have no defaults here, or those of a verb would replace what stands before it.
    """
    _of_cluster(_Group(parser, "cluster", shown=cluster))
    _of_output(_Group(parser, "output", shown=output))


class _Group:
    def __init__(self, parser: argparse.ArgumentParser, title: str, *, shown: bool) -> None:
        self._group: Any = parser.add_argument_group(title) if shown else parser
        self._shown = shown

    def add(self, *names: str, help: str, **how: Any) -> None:
        words = help if self._shown else argparse.SUPPRESS
        self._group.add_argument(*names, help=words, default=argparse.SUPPRESS, **how)


def _of_cluster(group: _Group) -> None:
    group.add("--url", help="like https://host:9200 (OPENSEARCH_URL)")
    words = "its password is asked for; one that is given here is seen by all users in the list of processes, as of ps "
    words += "(OPENSEARCH_USERNAME, OPENSEARCH_PASSWORD)"
    group.add("--user", metavar="NAME[:PASSWORD]", help=words)
    group.add("--ca-certs", metavar="FILE", help="authorities to trust, as PEM (OPENSEARCH_CA_CERTS)")
    group.add("--insecure", action="store_true", help="accept any certificate: for throw-away clusters")
    group.add("--profile", metavar="NAME", help="a cluster of the configuration file (OPENSEARCH_PROFILE)")
    words = f"{', '.join(FLAVORS)}: OpenSearch, Amazon OpenSearch Service, Serverless (default: by asking)"
    group.add("--flavor", metavar="KIND", choices=FLAVORS, help=words)
    group.add("--emulator", action="store_true", help="use the embedded emulator, which starts empty")


def _of_output(group: _Group) -> None:
    group.add("--json", action="store_true", help="print one JSON document to standard output")
    group.add("-v", "--verbose", action="count", help="log what happens to standard error; -vv: every call")
    group.add("-q", "--quiet", action="store_true", help="no progress and no warnings, only errors")
