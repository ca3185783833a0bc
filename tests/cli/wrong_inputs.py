"""Wrong inputs of the command line, each with its exit code and what is said: ``python -m tests.cli.wrong_inputs``."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import tempfile
from pathlib import Path

import attrs

from aiomlcommons import cli


@attrs.frozen
class Wrong:
    """What is typed, the exit code, and a part of the error."""

    typed: str
    code: int
    says: str


CONFIG = """\
[default]
flavor = "opensearch"
[prod]
url = "http://127.0.0.1:1"
[typo]
ulr = "http://127.0.0.1:1"
[kind]
url = 9200
[twice]
user = "a"
password = "b"
password_command = "c"
[nobody]
password = "b"
[command]
url = "http://127.0.0.1:1"
user = "a"
password_command = "false"
[absent]
url = "http://127.0.0.1:1"
user = "a"
password_command = "no-such-program"
"""

TABLE = [
    # commands, verbs, options
    Wrong("", 2, "the following arguments are required: COMMAND"),
    Wrong("modls list", 2, "there is no command 'modls'; did you mean 'models'"),
    Wrong("xyzzy", 2, "there is no command 'xyzzy'; choose from ingest, dead-letters, reembed, search,"),
    Wrong("groups list", 2, "there is no command 'groups'; did you mean 'model-groups'"),
    Wrong("dead-letter list x", 2, "there is no command 'dead-letter'; did you mean 'dead-letters'"),
    Wrong("models", 2, "the following arguments are required: VERB"),
    Wrong("models lst", 2, "there is no verb 'lst'; did you mean 'list'"),
    Wrong("models show", 2, "there is no verb 'show'; choose from ensure, upload, deploy, undeploy, list"),
    Wrong("models list --jsn", 2, "there is no option --jsn; did you mean '--json'"),
    Wrong("--ulr http://h models list", 2, "there is no option --ulr; did you mean '--url'"),
    Wrong("models --ulr http://h list", 2, "there is no option --ulr; did you mean '--url'"),
    Wrong("models list -x", 2, "there is no option -x"),
    Wrong("models list --js", 2, "there is no option --js; did you mean '--json'"),
    Wrong("models list extra", 2, "too many words: extra"),
    Wrong("ingest a.jsonl --modle m --out o.npy", 2, "there is no option --modle; did you mean '--model'"),
    Wrong("ingest a.jsonl --out o.npy", 2, "pass --model MODEL"),
    Wrong("models list --url", 2, "argument --url: expected one argument"),
    Wrong("models list --password=hush", 2, "there is no option --password;"),
    Wrong("models get", 2, "the following arguments are required: MODEL"),
    Wrong(
        "--flavor opensarch models list", 2, "argument --flavor must be opensearch or managed or aoss, not 'opensarch'"
    ),
    Wrong("completion powershell", 2, "argument SHELL must be bash or zsh or fish, not 'powershell'"),
    Wrong("emulator --port http", 2, "argument --port: must be a number from 0 to 65535, not 'http'"),
    Wrong("tasks wait t --timeout soon", 2, "argument --timeout: must be a number of seconds, not 'soon'"),
    Wrong("ingest a.jsonl --model m --out o --batch 0", 2, "argument --batch: must be 1 or more, not 0"),
    Wrong("help modls", 2, "there is no help on 'modls'; did you mean 'models'"),
    Wrong("help models lst", 2, "there is no help on 'models lst'; did you mean 'list'"),
    # which cluster, and as whom
    Wrong("models list", 2, "no cluster is given: pass --url or --profile, or set OPENSEARCH_URL, or pass --emulator"),
    Wrong("models list --url http://h --emulator", 2, "--url and --emulator exclude each other"),
    Wrong("models list --url http://h --user :x", 2, "--user must be like NAME or NAME:PASSWORD"),
    Wrong("models list --url http://a:b@h --user c", 2, "there are credentials in --url and in --user: give them once"),
    Wrong(
        "models list --url http://127.0.0.1:1 --user admin",
        2,
        "there is no password for admin: set OPENSEARCH_PASSWORD",
    ),
    Wrong("models list --url https://h --insecure --ca-certs a", 2, "--insecure and --ca-certs exclude each other"),
    Wrong("models list --url https://127.0.0.1:1 --ca-certs no.pem", 1, "no.pem"),
    Wrong("models list --url ftp://h", 1, "it must begin with https:// or http://"),
    Wrong("models list --url http://127.0.0.1:1", 1, "cannot connect to http://127.0.0.1:1"),
    Wrong("models list --profile prdo", 2, "there is no profile 'prdo' in config.toml; did you mean 'prod'"),
    Wrong(
        "models list --profile xyzzy", 2, "there is no profile 'xyzzy' in config.toml; it has absent, command, default,"
    ),
    Wrong("models list --profile prod --url http://h", 2, "--url and --profile name two clusters"),
    Wrong("models list --profile prod", 1, "cannot connect to http://127.0.0.1:1"),
    Wrong("models list --profile typo", 2, "the profile 'typo' in config.toml: 'ulr' is no key; did you mean 'url'"),
    Wrong("models list --profile kind", 2, "url must be text or a list of texts, not int"),
    Wrong("models list --profile twice", 2, "has both password and password_command: keep one"),
    Wrong("models list --profile nobody", 2, "has a password, but no user"),
    Wrong("models list --profile command", 2, "failed with exit code 1, or printed nothing"),
    Wrong("models list --profile absent", 2, "cannot be run: "),
    # what is asked for
    Wrong("models get nope --emulator", 1, "no model has the id or the name 'nope'"),
    Wrong(
        "models get all-MiniLM-L6-v2 --emulator", 1, "the cluster has no model 'all-MiniLM-L6-v2': `aiomlcommons models"
    ),
    Wrong("models delete x --emulator", 1, "no model has the id or the name 'x'"),
    Wrong("model-groups delete x --emulator", 2, "standard input is not a terminal: pass --yes"),
    Wrong("models ensure https://h/m.zip --emulator", 2, "a model by URL needs --sha256"),
    Wrong("connectors get nope --emulator", 1, "NotFound: "),
    Wrong("agents get nope --emulator", 1, "NotFound: "),
    Wrong("agents execute a --emulator", 2, "there is nothing to ask: give a QUESTION"),
    Wrong("agents execute a --parameter x --emulator", 2, "--parameter must be NAME=VALUE, not 'x'"),
    Wrong("tasks get nope --emulator", 1, "NotFound: "),
    Wrong("settings set only_run_on_ml_node --emulator", 2, "a setting must be NAME=VALUE"),
    Wrong("settings set only_run_on_ml=1 --emulator", 2, "did you mean"),
    Wrong("call --emulator", 2, "the following arguments are required: WORD"),
    Wrong("call models --emulator", 2, "'models' is a namespace, not an endpoint; `aiomlcommons endpoints models`"),
    Wrong("call models gte x --emulator", 2, "there is no endpoint 'models gte'; did you mean 'models.get'"),
    Wrong("call models get --emulator", 2, "required key 'model_id' is missing"),
    Wrong("endpoints xyzzy", 2, "there is no endpoint 'xyzzy'"),
    Wrong("embed all-MiniLM-L6-v2 --emulator", 2, "there is no TEXT, and standard input has no line"),
    Wrong("embed all-MiniLM-L6-v2 a --out a.txt --emulator", 2, "--out must name a .npy file, not 'a.txt'"),
    Wrong("predict m nonsense --emulator", 2, "the input is not JSON: "),
    Wrong("predict m '[1]' --emulator", 2, "the input must be a JSON object"),
    Wrong("""predict m '{"text_docs": "a"}' --emulator""", 2, "the input is not that of a model: "),
    Wrong(
        """predict m '{"text_dcos": ["a"]}' --emulator""",
        2,
        "key 'text_dcos'; did you mean 'text_docs'",
    ),
    Wrong(
        "embed ms-marco-MiniLM-L-6-v2 a --emulator",
        1,
        "TEXT_SIMILARITY: try it by `aiomlcommons rerank`",
    ),
    Wrong(
        "rerank all-MiniLM-L6-v2 q a --emulator",
        1,
        "TEXT_EMBEDDING: try it by `aiomlcommons embed`",
    ),
    Wrong("predict m @no.json --emulator", 1, "No such file or directory: 'no.json'"),
    Wrong("ingest no.jsonl --model m --out o.npy --emulator", 1, "No such file or directory: 'no.jsonl'"),
    Wrong("ingest a.pdf --model m --out o.npy --emulator", 1, "cannot read a.pdf: name it .jsonl"),
    Wrong("ingest a.jsonl --model m --emulator", 2, "pass either --out FILE or --index NAME"),
    Wrong("dead-letters list no.jsonl", 1, "no.jsonl"),
]


def said(wrong: Wrong) -> tuple[int, str, str]:
    """Run a command in an empty folder; return its exit code, and what it writes to standard output and error."""
    out, errors = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code: object = cli.main(shlex.split(wrong.typed))
        except SystemExit as end:
            code = end.code
    out.flush()
    printed = out.buffer
    assert isinstance(printed, io.BytesIO)
    return int(str(code)), printed.getvalue().decode(), errors.getvalue()


def _print_table() -> None:
    for name in [name for name in os.environ if name.startswith("OPENSEARCH_")]:
        del os.environ[name]
    os.environ["AIOMLCOMMONS_CONFIG"] = "config.toml"
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("config.toml").write_text(CONFIG)
        Path("config.toml").chmod(0o600)
        sys.stdin = io.StringIO()
        for wrong in TABLE:
            code, _, errors = said(wrong)
            print(f"{code}  aiomlcommons {wrong.typed}\n   {errors.splitlines()[0]}")


if __name__ == "__main__":
    _print_table()
