"""``aiomlcommons doctor``, as a user types it."""

from __future__ import annotations

import orjson
import pytest

from aiomlcommons import cli
from aiomlcommons.cli.doctor import lines
from aiomlcommons.diagnosis import Checked, Finding, Severity

COMMAND = "aiomlcommons settings set " + " ".join(["a_long_setting=true"] * 6)
FINDING = Finding(Severity.PROBLEM, "a thing is wrong " * 8, "why " * 30, command=COMMAND, python="await ml.x()")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    got = capsys.readouterr()
    return code, got.out, got.err


def test_a_healthy_cluster_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "doctor", "--emulator")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "no problems, no warnings"
    assert "ok       memory       emulator: memory 50 %, heap 10 % of 85 %" in out


def test_a_problem_is_1_and_has_its_remedy(emulated_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor", "--url", emulated_url)
    assert code == 1
    assert "\n         - problem: no node may run local models" in out
    assert "\n           $ aiomlcommons settings set only_run_on_ml_node=false\n" in out
    assert "\n           >>> await ml.settings.apply(MLSettings(only_run_on_ml_node=False))\n" in out
    assert "\x1b" not in out
    assert run(capsys, "settings", "set", "only_run_on_ml_node=false", "--url", emulated_url)[0] == 0
    code, out, _ = run(capsys, "doctor", "--url", emulated_url)
    assert (code, out.splitlines()[-1]) == (0, "no problems, 2 warnings")


def test_json_is_one_document(emulated_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "doctor", "--json", "--url", emulated_url)
    told = orjson.loads(out)
    assert (code, err) == (1, "")
    assert (told["healthy"], told["summary"]) == (False, "1 problem, 2 warnings")
    (nodes,) = (checked for checked in told["checks"] if checked["name"] == "nodes")
    assert nodes["state"] == "problem"
    assert nodes["findings"][0]["command"] == "aiomlcommons settings set only_run_on_ml_node=false"


def test_no_connection_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor", "--url", "http://127.0.0.1:1")
    assert code == 1
    assert "PROBLEM  connection   http://127.0.0.1:1\n" in out
    assert out.splitlines()[-1] == "1 problem, no warnings"


@pytest.mark.parametrize("value", ["0", "-1", "soon", "inf", "nan"])
def test_a_wrong_timeout_is_2(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", f"--timeout={value}"])
    assert caught.value.code == 2
    assert "argument --timeout: must be a number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 80, 140])
def test_prose_is_wrapped_and_what_is_to_be_copied_is_not(width: int) -> None:
    shown = ["".join(part for part, _ in line) for line in lines(Checked("memory", "n1 " * 60, [FINDING]), width)]
    copied = [line for line in shown if line.lstrip().startswith(("$", ">>>"))]
    assert copied == [f"           $ {COMMAND}", "           >>> await ml.x()"]
    assert max(len(line) for line in shown if line not in copied) <= width
