"""Which cluster, and as whom: options, variables and profiles, the password, and the configuration file."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from aiomlcommons import cli
from aiomlcommons.cli import jobs
from aiomlcommons.cli.arguments import parse
from aiomlcommons.cli.connection import Connection, connection, without_password
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.profiles import config_file

Find: TypeAlias = Callable[..., Connection]
CONFIG = """\
[default]
url = "http://of-default"
[prod]
url = ["https://one:9200", "https://two:9200"]
user = "of-profile"
password = "secret of profile"
ca_certs = "ca.pem"
tenant_id = "t"
flavor = "managed"
[aws]
url = "https://aws"
aws_region = "eu-west-1"
[bare]
insecure = true
[command]
url = "http://of-command"
user = "admin"
password_command = ["printf", "from a command\\nand more"]
"""
ENV = {"OPENSEARCH_URL": "http://of-env", "OPENSEARCH_USERNAME": "of-env", "OPENSEARCH_PASSWORD": "secret of env"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


@pytest.fixture
def found(config: Path) -> Find:
    def find(typed: str, environ: Mapping[str, str] | None = None) -> Connection:
        words = ["models", "list", *typed.split()]
        return connection(parse(words), {"AIOMLCOMMONS_CONFIG": str(config), **(environ or {})})

    return find


def told(one: Connection) -> dict[str, str | None]:
    names = {name: value for name, value in one.environ.items() if name.startswith("OPENSEARCH_")}
    return {name.removeprefix("OPENSEARCH_").lower(): value for name, value in names.items()}


@pytest.mark.parametrize(
    ("typed", "environ", "url", "user", "password"),
    [
        ("", {}, "http://of-default", None, None),
        ("", ENV, "http://of-env", "of-env", "secret of env"),
        ("--url http://u", ENV, "http://u", "of-env", "secret of env"),
        ("--url http://u --user a:b", ENV, "http://u", "a", "b"),
        ("--url http://u --user a:b:c", {}, "http://u", "a", "b:c"),
        ("--url http://u --user a:", ENV, "http://u", "a", ""),
        ("--url http://u --user a", ENV, "http://u", "a", "secret of env"),
        ("--url http://x:y@u", ENV, "http://x:y@u", None, None),
        ("--profile prod", {}, "https://one:9200,https://two:9200", "of-profile", "secret of profile"),
        ("--profile prod", ENV, "https://one:9200,https://two:9200", "of-profile", "secret of profile"),
        ("--profile prod --user a:b", ENV, "https://one:9200,https://two:9200", "a", "b"),
        (
            "--profile prod --user of-profile",
            {},
            "https://one:9200,https://two:9200",
            "of-profile",
            "secret of profile",
        ),
        ("", {"OPENSEARCH_PROFILE": "prod"}, "https://one:9200,https://two:9200", "of-profile", "secret of profile"),
        ("", {"OPENSEARCH_PROFILE": "prod", **ENV}, "http://of-env", "of-env", "secret of env"),
        ("--url http://u", {"OPENSEARCH_PROFILE": "prod"}, "http://u", None, None),
        ("--profile aws", {}, "https://aws", None, None),
        ("--profile aws", ENV, "https://aws", None, None),
        ("--profile bare", ENV, "http://of-env", "of-env", "secret of env"),
        ("--profile bare --url http://u", {}, "http://u", None, None),
        ("--profile command", {}, "http://of-command", "admin", "from a command"),
        ("", {"OPENSEARCH_URL": "", "OPENSEARCH_USERNAME": ""}, "http://of-default", None, None),
    ],
)
def test_options_come_before_a_named_profile_before_variables_before_other_profiles(
    found: Find, typed: str, environ: Mapping[str, str], url: str, user: str | None, password: str | None
) -> None:
    got = told(found(typed, environ))
    assert (got.get("url"), got.get("username"), got.get("password")) == (url, user, password)


def test_a_profile_says_the_rest_too(found: Find, config: Path) -> None:
    one = found("--profile prod", {"OPENSEARCH_VERIFY_CERTS": "false"})
    assert told(one)["ca_certs"] == str(config.parent / "ca.pem")
    assert (told(one)["tenant_id"], one.flavor, "verify_certs" in told(one)) == ("t", "managed", False)
    assert told(found("--profile prod --insecure"))["verify_certs"] == "false"
    assert "ca_certs" not in told(found("--profile prod --insecure"))
    assert told(found("--profile aws", ENV))["aws_region"] == "eu-west-1"
    assert found("--profile prod --flavor aoss").flavor == "aoss"
    assert told(found("--profile bare --url https://u"))["verify_certs"] == "false"


def test_a_password_is_asked_for_on_a_terminal(found: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt!r}")
    found_password = told(found("--url https://h:9200 --user admin"))["password"]
    assert found_password == "typed at 'password of admin at h: '"


def test_without_a_terminal_nobody_is_asked(found: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(
        UsageError, match="there is no password for admin: set OPENSEARCH_PASSWORD, or password_command"
    ):
        found("--url https://h --user admin")


def test_a_file_with_a_password_that_others_can_read_is_told(
    found: Find, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.chmod(0o644)
    found("--profile command")
    assert capsys.readouterr().err == ""
    found("--profile prod")
    assert capsys.readouterr().err == (
        f"aiomlcommons: others can read {config}, which holds a password: chmod 600 it\n"
    )


@pytest.mark.parametrize(
    ("environ", "platform", "path"),
    [
        ({}, "linux", "/home/me/.config/aiomlcommons/config.toml"),
        ({"XDG_CONFIG_HOME": "/xdg"}, "linux", "/xdg/aiomlcommons/config.toml"),
        ({"XDG_CONFIG_HOME": "/xdg"}, "darwin", "/xdg/aiomlcommons/config.toml"),
        ({}, "darwin", "/home/me/Library/Application Support/aiomlcommons/config.toml"),
        ({"APPDATA": "/appdata"}, "win32", "/appdata/aiomlcommons/config.toml"),
        ({}, "win32", "/home/me/AppData/Roaming/aiomlcommons/config.toml"),
        ({"AIOMLCOMMONS_CONFIG": "mine.toml"}, "win32", "mine.toml"),
    ],
)
def test_the_file_is_in_the_platforms_place(environ: Mapping[str, str], platform: str, path: str) -> None:
    assert config_file({"HOME": "/home/me", **environ}, platform) == Path(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a", "is no TOML"),
        ('url = "http://h"', "'url' must stand below the name of its profile, such as [default]"),
        ("[default]\npasword = 'hush'", "'pasword' is no key; did you mean 'password'?"),
        ("[default]\nurl = ['a', 5]", "url must be text or a list of texts, not list"),
        ("[default]\ninsecure = 'yes'", "insecure must be true or false, not str"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(config: Path, found: Find, text: str, words: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError) as caught:
        found("")
    assert str(config) in str(caught.value)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(config: Path, found: Find) -> None:
    config.unlink()
    assert not found("").has_url
    with pytest.raises(UsageError, match="there is no profile 'prod', because there is no file "):
        found("--profile prod")
    config.mkdir()
    with pytest.raises(UsageError, match=r"config\.toml cannot be read: Is a directory"):
        found("")


def test_the_command_that_continues_a_job_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["--user", "a:hush", "ingest", "x", "--user=b:hush", "--url", "http://c:hush@h"]
    assert list(without_password(typed))[:5] == ["--user", "a", "ingest", "x", "--user=b"]
    assert "hush" not in jobs.command(argparse.Namespace(typed=typed, resume=False))


def test_no_profile_is_read_where_no_cluster_is_asked(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("[a")
    monkeypatch.setenv("AIOMLCOMMONS_CONFIG", str(config))
    assert cli.main(["models", "pretrained"]) == 0
    capsys.readouterr()
