"""``aiomlcommons help``: help on a command, the exit codes, and where a cluster is named."""

from __future__ import annotations

import argparse
import os

import anyio.to_thread

from aiomlcommons.cli import exit_codes
from aiomlcommons.cli.arguments import parser
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.profiles import FILE, KEYS, config_file
from aiomlcommons.cli.tables import print_json
from aiomlcommons.spelling import did_you_mean

CONFIGURATION = f"""\
Which cluster, and as whom, is said by, in this order:

  1. options: --url, --user, --ca-certs, --insecure, --flavor
  2. the profile that --profile names
  3. variables: OPENSEARCH_URL (several nodes with commas between them),
     OPENSEARCH_USERNAME, OPENSEARCH_PASSWORD, OPENSEARCH_CA_CERTS,
     OPENSEARCH_VERIFY_CERTS (true or false), OPENSEARCH_TENANT_ID,
     OPENSEARCH_AWS_REGION, OPENSEARCH_AWS_SERVICE (es or aoss)
  4. the profile that OPENSEARCH_PROFILE names, or the profile `default`

A profile with a url is for that cluster only: where --url or OPENSEARCH_URL
names the cluster, the profiles of 4 are not used, and --profile is an error.

Profiles are tables of a TOML file, here
  {{file}}
or where {FILE} says:

  [default]
  url = "http://localhost:9200"

  [prod]
  url = "https://host:9200"
  user = "admin"
  password_command = "pass show opensearch/prod"
  ca_certs = "ca.pem"

Keys: {", ".join(list(KEYS)[:6])},
{", ".join(list(KEYS)[6:])}. A file with a password in it
should be readable by nobody else (chmod 600). A password is looked for beside
the user, then in OPENSEARCH_PASSWORD, then asked for on the terminal.

AIOMLCOMMONS_LOG=info or debug logs as -v and -vv do."""


async def show(options: argparse.Namespace) -> None:
    """Print help on a topic."""
    topic = " ".join(options.topic)
    text = await anyio.to_thread.run_sync(_text, options.topic)
    if options.json:
        codes = {str(code): words for code, words in exit_codes.MEANINGS.items()}
        print_json({"topic": topic, "text": text, **({"exit_codes": codes} if topic == "exit-codes" else {})})
    else:
        print(text)


def _text(topic: list[str]) -> str:
    if topic == ["exit-codes"]:
        return exit_codes.table()
    if topic == ["configuration"]:
        return CONFIGURATION.format(file=config_file(os.environ))
    level: argparse.ArgumentParser = parser()
    for number, word in enumerate(topic):
        below = next((one.choices for one in level._actions if isinstance(one, argparse._SubParsersAction)), None) or {}
        if word not in below:
            known = [*below, *(("exit-codes", "configuration") if not number else ())]
            near = did_you_mean(word, known, "`aiomlcommons --help` lists the commands")
            raise UsageError(f"there is no help on {' '.join(topic)!r}; {near}")
        level = below[word]
    return level.format_help().rstrip()
