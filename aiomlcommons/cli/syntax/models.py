"""``models``, and what tries one: ``embed``, ``rerank`` and ``predict``."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.verbs import Noun, Verb

ANY = "an id or a name"


def confirmation(verb: argparse.ArgumentParser) -> None:
    """Add ``--yes``, for what is asked before."""
    verb.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def response_time(verb: argparse.ArgumentParser) -> None:
    """Add ``--timeout``, for what a slow model delays."""
    words = "give up if there is no response in this time (default: 60 s of silence, 300 s in all)"
    verb.add_argument("--timeout", type=types.some_seconds, metavar="SECONDS", dest="response_time", help=words)


def _ensure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", metavar="MODEL", help="an id, a name, a pretrained name, a zip file, or its URL")
    verb.add_argument("--no-deploy", action="store_true", help="register the model without deploying it")
    verb.add_argument("--connector-id", metavar="ID", help="create a remote model of this name behind a connector")
    _file(verb)
    _change_settings(verb)


def _upload(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", metavar="PATH", help="a zip file, or a directory")
    _file(verb)
    _change_settings(verb)


def _file(verb: argparse.ArgumentParser) -> None:
    file = verb.add_argument_group("file", "what a file, or its URL, does not say of itself")
    file.add_argument("--name", help="the model's name (default: that of the file)")
    file.add_argument("--function", metavar="NAME", help="such as TEXT_EMBEDDING (the default), SPARSE_ENCODING")
    file.add_argument("--format", metavar="NAME", help="TORCH_SCRIPT or ONNX (default: what the file holds)")
    file.add_argument("--config", metavar="FILE", help="the model_config as JSON (default: a config.json beside it)")
    file.add_argument("--sha256", metavar="HEX", help="the checksum that the file must have; required for a URL")
    file.add_argument("--group", metavar="NAME", help="the model group; created if it is missing")


def _change_settings(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--change-settings", action="store_true", help="change cluster settings that prevent it")


def _deploy(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", metavar="MODEL", help=ANY)
    _change_settings(verb)


def _one(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", metavar="MODEL", help=ANY)


def _some(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("models", metavar="MODEL", nargs="+", help=ANY)


def named(verb: argparse.ArgumentParser) -> None:
    """Add ``--name``, which selects what is listed."""
    verb.add_argument(
        "--name", type=types.maybe_empty, default="", metavar="PART", help="only those with this in their name"
    )


def _delete(verb: argparse.ArgumentParser) -> None:
    _some(verb)
    verb.add_argument("--empty-group", action="store_true", help="delete their groups too if these are empty then")
    confirmation(verb)


def _embed(verb: argparse.ArgumentParser) -> None:
    _one(verb)
    verb.add_argument("texts", metavar="TEXT", nargs="*", help="without any: the lines of standard input")
    words = "what the texts are, for an asymmetric model"
    verb.add_argument("--content-type", choices=("query", "passage"), help=words)
    verb.add_argument("--out", metavar="FILE", help="write the vectors into a .npy file, in place of printing them")
    response_time(verb)


def _rerank(verb: argparse.ArgumentParser) -> None:
    _one(verb)
    verb.add_argument("query", metavar="QUERY", help="what the documents are to answer")
    verb.add_argument("texts", metavar="TEXT", nargs="*", help="without any: the lines of standard input")
    response_time(verb)


def _predict(verb: argparse.ArgumentParser) -> None:
    _one(verb)
    verb.add_argument("input", metavar="JSON", help="the body of the request, @FILE for that of a file, - for stdin")
    response_time(verb)


MODELS = Noun(
    "models",
    "pretrained, uploaded and remote models",
    [
        Verb(
            "ensure",
            "models.ensure",
            "make sure that a model is registered and deployed",
            _ensure,
            examples=[
                "models ensure all-MiniLM-L6-v2",
                "models ensure ./model.zip --name mine --function SPARSE_TOKENIZE --change-settings",
            ],
        ),
        Verb(
            "upload",
            "models.upload",
            "register a model from a local zip file or directory",
            _upload,
            more="An upload that was interrupted goes on where it was.",
            examples=["models upload ./model.zip --function SPARSE_TOKENIZE --change-settings"],
        ),
        Verb(
            "deploy",
            "models.deploy",
            "deploy a model and wait until it is deployed",
            _deploy,
            examples=["models deploy all-MiniLM-L6-v2"],
        ),
        Verb(
            "undeploy",
            "models.undeploy",
            "take models off the nodes",
            _some,
            examples=["models undeploy all-MiniLM-L6-v2"],
        ),
        Verb(
            "list",
            "models.show",
            "list the models of the cluster",
            named,
            examples=["models list", "models list --name MiniLM --json"],
        ),
        Verb("get", "models.get", "show one model", _one, examples=["models get all-MiniLM-L6-v2 --json"]),
        Verb(
            "pretrained",
            "models.pretrained",
            "list the pretrained models, which a cluster registers by name",
            named,
            examples=["models pretrained --name MiniLM"],
            local=True,
        ),
        Verb(
            "delete",
            "models.delete",
            "undeploy models and delete them, after confirmation",
            _delete,
            examples=["models delete all-MiniLM-L6-v2 --yes --empty-group"],
        ),
    ],
)

EMBED = Verb(
    "embed",
    "inference.embed",
    "embed texts, to try a model",
    _embed,
    more="Each text is answered by its vector: how many numbers it has, and the first of them; all of them with "
    "--json or --out. For many texts use `ingest`.",
    examples=[
        'embed all-MiniLM-L6-v2 "a text" "another one"',
        "embed all-MiniLM-L6-v2 --out vectors.npy < lines.txt",
    ],
)

RERANK = Verb(
    "rerank",
    "inference.rerank",
    "score how well texts answer a query; the best comes first",
    _rerank,
    examples=['rerank ms-marco-MiniLM-L-6-v2 "what is k-NN?" "nearest neighbours" "a cat"'],
)

PREDICT = Verb(
    "predict",
    "inference.predict",
    "send an input to a model as it is, and print the response",
    _predict,
    examples=["""predict all-MiniLM-L6-v2 '{"text_docs": ["a text"]}'""", "predict all-MiniLM-L6-v2 @input.json"],
)
