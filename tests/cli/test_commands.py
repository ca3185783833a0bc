"""The command line, as a user types it."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import orjson
import pytest
from aiohttp import web

import aiomlcommons
from aiomlcommons import ENDPOINTS, cli
from aiomlcommons.cli import calls, models
from aiomlcommons.cli.arguments import parse
from aiomlcommons.cli.connection import Connection
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.tables import results
from aiomlcommons.lifecycle.spec import UrlModel
from tests.support.paths import MODELS
from tests.support.recording_server import reply, serve


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS", "VERIFY_CERTS", "TENANT_ID"):
        monkeypatch.delenv(f"OPENSEARCH_{name}", raising=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": {n}, "text": "text number {n}"}}\n' for n in range(150)))
    return path


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Start an emulator by the command, give its URL, and check that Ctrl-C ends it cleanly."""
    command = [sys.executable, "-m", "aiomlcommons", "emulator", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("an emulated ML Commons answers at http://127.0.0.1:")
    yield line.split(" at ")[1].split(";")[0]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted\n")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    got = capsys.readouterr()
    return code, got.out, got.err


def test_ingest_writes_rows_with_vectors(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = corpus.with_name("out.jsonl")
    words = ("ingest", str(corpus), "--model", "all-MiniLM-L6-v2", "--out", str(out), "--emulator")
    code, printed, _ = run(capsys, *words)
    assert code == 0
    assert printed.startswith("150 read = 150 written + 0 deduplicated + 0 skipped + 0 failed; ")
    rows = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["id"] for row in rows] == list(range(150))
    assert {len(row["embedding"]) for row in rows} == {384}


def test_ingest_writes_an_array(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = corpus.with_name("out.npy")
    code, *_ = run(capsys, "ingest", str(corpus), "--model", "all-MiniLM-L6-v2", "--out", str(out), "--emulator")
    assert code == 0
    assert np.load(out).shape == (150, 384)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["ingest", "x.jsonl", "--model", "m", "--out", "o.npy"],
            2,
            "no cluster is given: pass --url or --profile, or set OPENSEARCH",
        ),
        (["tasks", "wait", "t"], 2, "pass --emulator"),
        (["tasks", "wait", "t", "--url", "http://h", "--emulator"], 2, "--url and --emulator exclude each other"),
        (
            ["tasks", "wait", "t", "--url", "http://127.0.0.1:1"],
            1,
            "ConnectError: cannot connect to http://127.0.0.1:1",
        ),
        (["tasks", "wait", "t", "--emulator"], 1, "NotFound: Failed to find task"),
        (
            ["ingest", "no.jsonl", "--model", "m", "--out", "o.npy", "--emulator"],
            1,
            "No such file or directory: 'no.js",
        ),
        (
            ["ingest", "x.jsonl", "--model", "m", "--out", "no/such/o.npy", "--emulator"],
            1,
            "there is no folder no/such",
        ),
        (
            ["ingest", "x.jsonl", "--model", "m", "--out", "no/such/o.npy", "--dry-run", "--emulator"],
            1,
            "there is no folder no/such",
        ),
        (
            ["ingest", "x.jsonl", "--model", "nope", "--out", "o.npy", "--emulator"],
            1,
            "no model has the id or the name",
        ),
        (
            ["ingest", "x.jsonl", "--model", "m", "--out", "o.txt", "--emulator"],
            1,
            "cannot write o.txt: name it .jsonl",
        ),
        (["ingest", "x.pdf", "--model", "m", "--out", "o.npy", "--emulator"], 1, "cannot read x.pdf: name it .jsonl"),
        (["dead-letters", "list", "no.jsonl"], 1, "no.jsonl"),
        (["call", "models", "nope", "--emulator"], 2, "there is no endpoint 'models nope'"),
        (["call", "models", "get", "--emulator"], 2, "required key 'model_id' is missing"),
        (["call", "models", "get", "a", "b", "--emulator"], 2, "GetModel has no field for 'b'"),
        (["call", "models", "get", "missing", "--emulator"], 1, "NotFound: Failed to find model"),
    ],
)
def test_an_error_is_one_line_that_a_person_understands(
    words: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.jsonl").touch()
    got, out, err = run(capsys, *words)
    assert (got, out) == (code, "")
    line = err.splitlines()[-1]
    assert line.startswith("aiomlcommons: ")
    assert message in line


@pytest.mark.parametrize(
    ("out", "module"), [("out.parquet", "pyarrow.parquet"), ("out.jsonl", "pyarrow.dataset")], ids=["sink", "source"]
)
def test_an_extra_that_is_not_installed_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, out: str, module: str
) -> None:
    rows = tmp_path / "rows.parquet"
    import_module("pyarrow.parquet").write_table(import_module("pyarrow").table({"id": ["a"], "text": ["b"]}), rows)
    monkeypatch.setitem(sys.modules, module, None)
    words = ("ingest", str(rows), "--model", "all-MiniLM-L6-v2", "--out", str(tmp_path / out), "--emulator")
    code, _, errors = run(capsys, *words)
    assert code == 1
    assert re.search(r"^aiomlcommons: ImportError: .* pip install 'aiomlcommons\[arrow\]'$", errors, re.MULTILINE)
    assert "Traceback" not in errors


@pytest.mark.parametrize("port", ["99999", "-1", "http", ""])
def test_a_port_that_cannot_be_is_refused_by_name(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["emulator", f"--port={port}"])
    assert f"argument --port: must be a number from 0 to 65535, not {port!r}" in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["aiomlcommons.cli.arguments.parse", "aiomlcommons.cli.import_module"])
def test_ctrl_c_while_a_command_is_still_imported_is_no_stack_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupted)
    assert run(capsys, "models", "pretrained") == (130, "", "interrupted\n")


def test_a_variable_that_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_VERIFY_CERTS", "maybe")
    words = "aiomlcommons: ValueError: OPENSEARCH_VERIFY_CERTS must be true, false, 1, 0, yes or no, not 'maybe'\n"
    assert run(capsys, "call", "info", "--url", "https://127.0.0.1:9") == (1, "", words)


def test_a_cluster_that_is_not_verified_is_told_once_and_in_words_for_users(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENSEARCH_VERIFY_CERTS", "false")
    code, _, err = run(capsys, "call", "info", "--url", "https://127.0.0.1:9")
    assert code == 1
    assert "InsecureWarning" not in err
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [words.partition(",")[0] for words in warned] == ["the certificate of https://127.0.0.1:9 is not verified"]


def test_call_reaches_an_endpoint_and_prints_its_answer(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("call", "model_groups", "register", "from the command line", "description=words", "--url", served)
    code = cli.main(words)
    assert code == 0
    group = orjson.loads(capsys.readouterr().out)
    cli.main(("call", "model_groups.get", group["model_group_id"], "--url", served))
    found = orjson.loads(capsys.readouterr().out)
    assert (found["name"], found["description"]) == ("from the command line", "words")
    cli.main(("call", "model_groups", "search", 'body={"size": 0}', "--url", served))
    assert orjson.loads(capsys.readouterr().out)["hits"]["total"]["value"] == 1


@pytest.mark.parametrize(("words", "key"), [(["info"], "version"), (["stats"], "nodes")])
def test_call_reaches_an_endpoint_of_a_single_word(
    served: str, capsys: pytest.CaptureFixture[str], words: list[str], key: str
) -> None:
    code, out, _ = run(capsys, "call", *words, "--url", served)
    assert (code, key in orjson.loads(out)) == (0, True)


def test_call_of_a_single_word_says_what_is_missing(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "call", "predict", "--url", served)
    assert (code, "required key 'algorithm' is missing" in err) == (2, True)


@pytest.mark.parametrize(
    ("word", "first"),
    [("tas", "tasks cancel"), ("tasks", "tasks cancel"), ("models.g", "models get"), ("inf", "info  ")],
)
def test_endpoints_are_listed_that_begin_with_a_word(capsys: pytest.CaptureFixture[str], word: str, first: str) -> None:
    code, out, _ = run(capsys, "endpoints", word)
    assert (code, out[: len(first)]) == (0, first)


@pytest.mark.parametrize("verb", ["call", "endpoints"])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["xyzzy"], "there is no endpoint 'xyzzy'; `aiomlcommons endpoints` lists all of them"),
        (["models.gte"], "there is no endpoint 'models.gte'; did you mean 'models.get'"),
    ],
)
def test_a_word_that_no_endpoint_begins_with_says_so(
    capsys: pytest.CaptureFixture[str], verb: str, words: list[str], error: str
) -> None:
    code, _, err = run(capsys, verb, *words, "--emulator")
    assert (code, error in err) == (2, True), err


def test_call_of_a_namespace_says_where_its_methods_are(capsys: pytest.CaptureFixture[str]) -> None:
    words = "'models' is a namespace, not an endpoint; `aiomlcommons endpoints models` lists its methods"
    assert run(capsys, "call", "models", "--emulator") == (2, "", f"aiomlcommons: {words}\n")


@pytest.mark.parametrize("body", ['data: {"a": 1}\n\n', "", "green"])
def test_call_prints_what_is_no_json_as_it_is(body: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = parse(("call", "models", "get", "m"))

    async def called() -> None:
        async with serve(web.Response(status=202, text=body)) as server:
            options.connection = Connection({"OPENSEARCH_URL": server.url})
            await calls.call(options)

    asyncio.run(called())
    assert capsys.readouterr().out == body


def test_task_wait_shows_each_change_and_the_end(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    register = ("call", "models", "register", "huggingface/sentence-transformers/all-MiniLM-L6-v2")
    cli.main((*register, "version=1.0.2", "model_format=TORCH_SCRIPT", "--url", served))
    task_id = orjson.loads(capsys.readouterr().out)["task_id"]
    code, out, err = run(capsys, "tasks", "wait", task_id, "--url", served)
    assert code == 0
    assert out.startswith("COMPLETED model_id=")
    assert err.splitlines()[-1] == f"REGISTER_MODEL {task_id} COMPLETED"


def test_task_wait_that_gives_up_says_what_it_waited_for() -> None:
    async def waited() -> tuple[int | None, str]:
        async with serve(reply({"error": "busy"}, status=429, retry_after="30")) as server:
            words = ("tasks", "wait", "t", "--url", server.url, "--timeout", "0.2")
            command = (sys.executable, "-m", "aiomlcommons", *words)
            process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
            _, errors = await process.communicate()
            return process.returncode, errors.decode()

    code, errors = asyncio.run(waited())
    first, call, task = errors.splitlines()
    assert (code, first) == (4, "aiomlcommons: task t has not ended in 0.2 s")
    assert "while it waited for its next attempt (a pause of 30.0 s); attempt 1, the last failure was 429 busy" in call
    assert task.endswith(": the wait for task t, of which nothing is known yet")


def test_every_endpoint_is_reached_by_exactly_one_name() -> None:
    names = list(calls.endpoints())
    assert sorted(cls.__name__ for _, cls in names) == sorted(cls.__name__ for cls in ENDPOINTS)
    assert len({name for name, _ in names}) == len(names)


def test_endpoints_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "endpoints")
    assert code == 0
    assert "models deploy " in out
    assert len(out.splitlines()) == len(ENDPOINTS)
    found = orjson.loads(run(capsys, "endpoints", "--json")[1])
    assert len(found) == len(ENDPOINTS)
    assert next(one for one in found if one["name"] == "models.get")["fields"][0] == "model_id"
    _, out, _ = run(capsys, "endpoints", "tasks")
    assert all(line.startswith("tasks ") for line in out.splitlines())


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["models", "get", "123"], {"model_id": "123"}),
        (["models.get", "id", "return_content=true"], {"model_id": "id", "return_content": True}),
        (["models", "deploy", "id", 'node_ids=["a"]'], {"node_ids": ["a"]}),
        (
            ["predict", "text_embedding", "id", 'text_docs=["x=y"]'],
            {"algorithm": "text_embedding", "text_docs": ["x=y"]},
        ),
        (["connectors", "create", "a=b", "version=1", "protocol=http"], {"name": "a=b", "version": 1}),
    ],
)
def test_words_become_fields(words: list[str], fields: dict[str, object]) -> None:
    request = calls.request_of(words)
    assert {name: getattr(request, name) for name in fields} == fields


def test_a_value_of_the_wrong_kind_is_named() -> None:
    with pytest.raises(UsageError, match=r"return_content"):
        calls.request_of(["models", "get", "id", "return_content=5"])


# ---- models, groups, tasks, settings -------------------------------------------------------------------------------

ZIP = str(MODELS / "tiny-tokenizer.zip")


@pytest.fixture
def uploaded(served: str, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Give the id of a model that was ensured from a file; delete it afterwards."""
    words = ("--function", "SPARSE_TOKENIZE", "--name", "by hand", "--group", "hands", "--change-settings", "--json")
    code, out, err = run(capsys, "models", "ensure", ZIP, *words, "--url", served)
    assert code == 0, err
    assert "191.9 kB of 191.9 kB, 100 %" in err
    assert orjson.loads(out)["model_state"] == "DEPLOYED"
    model_id = orjson.loads(out)["model_id"]
    yield model_id
    run(capsys, "models", "delete", model_id, "--yes", "--empty-group", "--url", served)


def test_a_model_is_ensured_listed_and_deleted(uploaded: str, served: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "models", "list", "--name", "hand", "--url", served)
    header, row = out.splitlines()
    assert header.split() == ["MODEL_ID", "NAME", "FUNCTION", "STATE", "VERSION", "CREATED"]
    assert [uploaded, "by hand", "SPARSE_TOKENIZE", "DEPLOYED", "1"] == re.split(r" {2,}", row)[:5]
    _, out, _ = run(capsys, "models", "undeploy", "by hand", "--url", served)
    assert out.startswith(f"{uploaded} ")
    assert "undeployed" in out
    code, out, _ = run(capsys, "models", "deploy", "by hand", "--url", served)
    assert (code, out) == (0, f"{uploaded} by hand DEPLOYED\n")
    code, out, _ = run(capsys, "models", "delete", "by hand", "--yes", "--empty-group", "--url", served)
    assert (code, out) == (0, f"deleted {uploaded}\n")
    assert run(capsys, "models", "list", "--name", "hand", "--json", "--url", served)[1] == "[]\n"
    assert "hands" not in run(capsys, "model-groups", "list", "--url", served)[1]


def test_nothing_is_deleted_without_a_yes(
    uploaded: str, served: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, "models", "delete", uploaded, "--url", served)
    assert (code, err) == (
        2,
        "aiomlcommons: standard input is not a terminal: pass --yes to delete without confirmation\n",
    )
    for answer, expected in (("", 1), ("no", 1), ("y", 0)):
        terminal = io.StringIO(answer + "\n")
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", terminal)
        code, out, err = run(capsys, "models", "delete", uploaded, "--url", served)
        assert (code, out) == (expected, f"deleted {uploaded}\n" if answer == "y" else "")
        assert f"model {uploaded} (by hand)" in err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["https://host/models/m.zip"], "m"),
        (["https://host/m.ZIP?token=x/y.zip"], "m"),
        (["https://host/m.zip", "--name", "mine"], "mine"),
    ],
)
def test_a_model_by_url_is_called_by_its_file(words: list[str], name: str) -> None:
    spec = models._spec(parse(["models", "ensure", *words, "--sha256", "0" * 64]))
    assert isinstance(spec, UrlModel)
    assert (spec.name, spec.url) == (name, words[0])


@pytest.mark.parametrize("what", ["https://huggingface.co/a/b", "hf.co/a/b", "A/B "])
def test_an_address_on_hugging_face_is_the_name_of_a_model(what: str) -> None:
    assert models._spec(parse(["models", "ensure", what])) == what


def test_an_upload_without_a_deployment_goes_on_where_it_was(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("models", "upload", ZIP, "--function", "SPARSE_TOKENIZE", "--change-settings", "--url", served)
    one, other = run(capsys, *words), run(capsys, *words)
    assert one[:2] == other[:2]
    assert one[1].endswith(" tiny-tokenizer REGISTERED\n")
    run(capsys, "models", "delete", "tiny-tokenizer", "--yes", "--url", served)


def test_pretrained_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "models", "pretrained", "--name", "minilm-l6", "--url", "http://127.0.0.1:1")
    assert re.search(r"all-MiniLM-L6-v2 +TEXT_EMBEDDING +384 +1\.0\.2 +TORCH_SCRIPT/ONNX", out)
    rows = orjson.loads(run(capsys, "models", "pretrained", "--json")[1])
    assert len(rows) == 25


def test_groups_and_tasks_are_listed(uploaded: str, served: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"\S+ +hands +\S+ +\d+ ", run(capsys, "model-groups", "list", "--url", served)[1])
    groups = orjson.loads(run(capsys, "model-groups", "list", "--json", "--url", served)[1])
    group_id = next(group["model_group_id"] for group in groups if group["name"] == "hands")
    code, _, err = run(capsys, "model-groups", "delete", group_id, "--yes", "--url", served)
    assert (code, "associated model versions" in err) == (1, True)
    rows = orjson.loads(run(capsys, "tasks", "list", "--last", "5", "--json", "--url", served)[1])
    assert uploaded in {row.get("model_id") for row in rows}
    assert "DEPLOY_MODEL" in run(capsys, "tasks", "list", "--url", served)[1]


def test_settings_go_by_either_name_and_take_text_as_it_is(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "model_auto_deploy_enable": "False",
        "exclude_nodes._name": "5",
        "trusted_connector_endpoints_regex": "^a,b$",
    }
    run(capsys, "settings", "set", *(f"{name}={value}" for name, value in given.items()), "--url", served)
    shown = orjson.loads(run(capsys, "settings", "list", "--json", "--url", served)[1])
    run(capsys, "settings", "set", *(f"{name}=" for name in given), "--url", served)
    assert (shown["model_auto_deploy.enable"], shown["exclude_nodes._name"]) == (False, "5")
    assert shown["trusted_connector_endpoints_regex"] == ["^a,b$"]


def test_settings_are_shown_and_changed(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "settings", "set", "max_model_on_node=7", "--url", served)
    assert (code, out) == (0, "plugins.ml_commons.max_model_on_node: was the default\n")
    _, out, _ = run(capsys, "settings", "list", "--name", "max_model_on_node", "--json", "--url", served)
    assert orjson.loads(out) == {"max_model_on_node": 7}
    run(capsys, "settings", "set", "max_model_on_node=", "--url", served)
    assert "max_model_on_node  10\n" in run(capsys, "settings", "list", "--name", "max_model_on", "--url", served)[1]


@pytest.mark.parametrize("word", ["True", "true", "TRUE"])
def test_a_setting_is_switched_on_in_any_case(served: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "settings", "set", f"mcp_server_enabled={word}", "--url", served)[0] == 0
    _, out, _ = run(capsys, "settings", "list", "--name", "mcp_server_enabled", "--json", "--url", served)
    run(capsys, "settings", "set", "mcp_server_enabled=", "--url", served)
    assert orjson.loads(out) == {"mcp_server_enabled": True}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["settings", "set", "mcp_server_enabled=on"], "mcp_server_enabled must be true or false, not 'on'"),
        (["settings", "set", "native_memory_threshold=9x"], "native_memory_threshold must be a number, not '9x'"),
        (["settings", "set", "mcp_server_enabled=null"], "mcp_server_enabled must be true or false, not None"),
        (["settings", "set", "no_such=1"], "there is no setting plugins.ml_commons.no_such"),
        (["settings", "set", "only_run_on_ml=1"], "only_run_on_ml; did you mean 'only_run_on_ml_node'?"),
        (["settings", "set", "max_load_model_tasks_per_node=1"], "needs OpenSearch 2.4 to 2.6; this server does not"),
        (["settings", "set", "only_run_on_ml_node"], "a setting must be NAME=VALUE"),
        (["models", "ensure", "https://host/m.zip"], "a model by URL needs --sha256"),
        (["models", "undeploy", "all-MiniLM-L6-v2"], "the cluster has no model 'all-MiniLM-L6-v2'"),
    ],
)
def test_what_cannot_be_done_says_why(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *words, "--emulator")
    assert code in {1, 2}
    assert error in err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"aiomlcommons {aiomlcommons.__version__}\n")


def test_a_reader_who_has_had_enough_is_no_error_to_be_shown(served: str) -> None:
    command = [sys.executable, "-m", "aiomlcommons", "endpoints", "--url", served]
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)  # noqa: S603
    os.close(writing)
    assert (process.returncode, process.stderr) == (1, b"")


@pytest.mark.parametrize("given", ["nan", "-1", "soon"])
def test_a_time_that_is_none_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["tasks", "wait", "t", "--timeout", given])
    assert f"must be a number of seconds, not '{given}'" in capsys.readouterr().err


def test_what_was_done_before_an_error_is_printed_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no second"), results(as_json=True) as take:
        take({"id": "a"}, "deleted a")
        raise ValueError("no second")
    assert orjson.loads(capsys.readouterr().out) == [{"id": "a"}]
