"""A machine on which botocore finds no credentials of AWS but those that a test writes."""

from __future__ import annotations

from pathlib import Path

import attrs
import botocore.session
import pytest

from aiomlcommons import AwsAuth
from aiomlcommons.net import _aws_credentials

HUSH = "hush+SECRET/0123456789"
TOKEN = "t0ken/of+a+session=="
KEPT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_PROFILE")


@attrs.frozen
class Machine:
    """The files of AWS on a machine."""

    folder: Path

    def write(self, access_key: str, secret_key: str = HUSH, token: str = TOKEN) -> None:
        """Write the credentials of the default profile."""
        values = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token}
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        (self.folder / "credentials").write_text(f"[default]\n{text}")

    def forget(self) -> None:
        """Remove the credentials."""
        (self.folder / "credentials").unlink()

    def set_region(self, region: str) -> None:
        """Write the region of the default profile."""
        (self.folder / "config").write_text(f"[default]\nregion = {region}\n")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Return a machine without credentials, on which nothing is renewed in advance."""
    for name in KEPT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(_aws_credentials, "PAUSE", 0.0)
    return Machine(tmp_path)


def fixed(access_key: str, secret_key: str, token: str | None = None, **options: str) -> AwsAuth:
    """Return signatures with credentials that are put into a session, by default for eu-west-1."""
    session = botocore.session.Session()
    session.set_credentials(access_key, secret_key, token)
    return AwsAuth(**{"region": "eu-west-1", **options}, session=session)  # type: ignore[arg-type]
