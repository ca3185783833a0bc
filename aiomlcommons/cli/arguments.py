"""The argument parser: all commands and their options."""

from __future__ import annotations

import argparse
import math
from typing import Any

from aiomlcommons.__about__ import __version__
from aiomlcommons.cli.job_arguments import add_dead_letter, add_ingest, positive, seconds
from aiomlcommons.wire.flavors import FLAVORS


def parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    top = argparse.ArgumentParser(
        prog="aiomlcommons",
        description="OpenSearch ML Commons from the command line.",
        epilog="The cluster is named by --url or OPENSEARCH_URL, which may hold the URLs of several nodes with commas "
        "between them; user and password by OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD; its authority by "
        "OPENSEARCH_CA_CERTS; a tenant by OPENSEARCH_TENANT_ID. OPENSEARCH_VERIFY_CERTS=false accepts any certificate. "
        "OPENSEARCH_AWS_REGION and OPENSEARCH_AWS_SERVICE (es or aoss) sign requests for Amazon's clusters.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    cluster = _cluster_options()

    add_ingest(commands, cluster)
    add_dead_letter(commands, cluster)

    emulator = commands.add_parser("emulator", help="serve an emulated cluster with ML Commons until interrupted")
    emulator.set_defaults(command="commands.serve")
    emulator.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    emulator.add_argument("--port", type=_port, default=9200, help="port to listen on (default: 9200; 0 for any)")

    _models(_verbs(commands, "models", "pretrained, uploaded and remote models"), cluster)
    _groups(_verbs(commands, "groups", "model groups"), cluster)
    _tasks(_verbs(commands, "tasks", "tasks of the server"), cluster)
    _settings(_verbs(commands, "settings", "cluster settings of ML Commons"), cluster)

    call = commands.add_parser(
        "call",
        parents=[cluster],
        help="call any endpoint",
        description="Call an endpoint by its namespace and method and print the response: "
        "`call models get MODEL_ID`, `call models search body='{\"size\": 1}'`, `call info`. Without a method, or "
        "any argument at all, list the endpoints.",
    )
    call.set_defaults(command="commands.call")
    call.add_argument("words", nargs="*", metavar="WORD", help="NAMESPACE METHOD [VALUE ...] [FIELD=VALUE ...]")
    return top


def _verbs(commands: Any, noun: str, words: str) -> Any:
    return commands.add_parser(noun, help=words).add_subparsers(required=True, metavar="VERB")


def _verb(verbs: Any, cluster: argparse.ArgumentParser, name: str, command: str, words: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, parents=[cluster], help=words, description=words)
    verb.set_defaults(command=command)
    return verb


def _models(verbs: Any, cluster: argparse.ArgumentParser) -> None:
    ensure = _verb(verbs, cluster, "ensure", "models.ensure", "make sure that a model is registered and deployed")
    ensure.add_argument("model", metavar="MODEL", help="an id, a name, a pretrained name, a zip file, or its URL")
    ensure.add_argument("--no-deploy", action="store_true", help="register the model without deploying it")
    ensure.add_argument("--connector-id", metavar="ID", help="create a remote model of this name behind a connector")
    upload = _verb(verbs, cluster, "upload", "models.upload", "register a model from a local zip file or directory")
    upload.add_argument("model", metavar="PATH")
    for verb in (ensure, upload):
        verb.add_argument("--name", help="the model's name (default: that of the file)")
        verb.add_argument("--function", metavar="NAME", help="such as TEXT_EMBEDDING (the default), SPARSE_ENCODING")
        verb.add_argument("--format", metavar="NAME", help="TORCH_SCRIPT or ONNX (default: what the file holds)")
        verb.add_argument(
            "--config", metavar="FILE", help="the model_config as JSON (default: a config.json beside it)"
        )
        verb.add_argument("--sha256", metavar="HEX", help="the checksum that the file must have; required for a URL")
        verb.add_argument("--group", metavar="NAME", help="the model group; created if it is missing")
    deploy = _verb(verbs, cluster, "deploy", "models.deploy", "deploy a model and wait until it is deployed")
    deploy.add_argument("model", metavar="MODEL", help="an id or a name")
    for verb in (ensure, upload, deploy):
        verb.add_argument("--change-settings", action="store_true", help="change cluster settings that prevent it")
        _json(verb)
    undeploy = _verb(verbs, cluster, "undeploy", "models.undeploy", "take models off the nodes")
    undeploy.add_argument("models", metavar="MODEL", nargs="+", help="an id or a name")
    _json(undeploy)
    shown = _verb(verbs, cluster, "list", "models.show", "list the models of the cluster")
    pretrained = _verb(verbs, cluster, "pretrained", "models.pretrained", "list the pretrained models")
    for verb in (shown, pretrained):
        verb.add_argument("--name", default="", metavar="PART", help="only those with this in their name")
        _json(verb)
    delete = _verb(verbs, cluster, "delete", "models.delete", "undeploy models and delete them, after confirmation")
    delete.add_argument("models", metavar="MODEL", nargs="+", help="an id or a name")
    delete.add_argument("--empty-group", action="store_true", help="delete their groups too if these are empty then")
    _yes(delete)


def _groups(verbs: Any, cluster: argparse.ArgumentParser) -> None:
    _json(_verb(verbs, cluster, "list", "groups.show", "list the model groups"))
    delete = _verb(verbs, cluster, "delete", "groups.delete", "delete empty model groups, after confirmation")
    delete.add_argument("groups", metavar="MODEL_GROUP_ID", nargs="+")
    _yes(delete)


def _tasks(verbs: Any, cluster: argparse.ArgumentParser) -> None:
    shown = _verb(verbs, cluster, "list", "tasks.show", "list the newest tasks")
    shown.add_argument("--last", type=positive, default=20, metavar="N", help="how many (default: 20)")
    _json(shown)
    wait = _verb(verbs, cluster, "wait", "tasks.wait", "wait for the end of a task, and print each change of its state")
    wait.add_argument("task_id", metavar="TASK_ID")
    wait.add_argument(
        "--timeout", type=seconds, default=math.inf, metavar="SECONDS", help="give up after this time (default: never)"
    )


def _settings(verbs: Any, cluster: argparse.ArgumentParser) -> None:
    shown = _verb(verbs, cluster, "list", "settings.show", "show the settings in effect")
    shown.add_argument("--name", default="", metavar="PART", help="only those with this in their name")
    _json(shown)
    change = _verb(verbs, cluster, "set", "settings.change", "change settings; NAME= resets one to its default")
    change.add_argument("settings", metavar="NAME=VALUE", nargs="+", help="like only_run_on_ml_node=false")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return int(text)


def _json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print JSON")


def _yes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _cluster_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("cluster")
    group.add_argument("--url", help="like https://host:9200 (default: OPENSEARCH_URL)")
    words = "the kind of server; managed and aoss are Amazon OpenSearch Service and Serverless (default: by asking)"
    group.add_argument("--flavor", choices=list(FLAVORS), help=words)
    group.add_argument("--emulator", action="store_true", help="use the embedded emulator instead of a cluster")
    return options
