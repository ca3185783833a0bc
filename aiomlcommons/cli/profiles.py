"""The configuration file: a table in TOML for each cluster, by the name of its profile."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.cli.errors import UsageError
from aiomlcommons.net.secret import Secret
from aiomlcommons.spelling import did_you_mean

DEFAULT = "default"
"""The profile that is used where nothing else names a cluster."""

FILE = "AIOMLCOMMONS_CONFIG"
"""The variable that names another file."""

KEYS: Mapping[str, tuple[type, ...]] = {
    "url": (str, list),
    "user": (str,),
    "password": (str,),
    "password_command": (str, list),
    "ca_certs": (str,),
    "insecure": (bool,),
    "flavor": (str,),
    "tenant_id": (str,),
    "aws_region": (str,),
    "aws_service": (str,),
}
"""The keys of a profile, and the types of their values."""
_PASSWORDS = {"password", "password_command"}


@attrs.frozen
class Profile:
    """A cluster of the configuration file."""

    name: str
    file: Path
    values: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def has_password(self) -> bool:
        """Whether it says where the password is."""
        return not self.values.keys().isdisjoint(_PASSWORDS)

    def password(self) -> Secret | None:
        """Return the password, perhaps that which a command prints. Raises UsageError if the command fails."""
        if (given := self.values.get("password")) is not None:
            return Secret(given)
        command = self.values.get("password_command")
        return None if command is None else self._printed(command)

    def _printed(self, command: str | list[str]) -> Secret:
        words = shlex.split(command) if isinstance(command, str) else command
        where = f"password_command of the profile {self.name!r} in {self.file}"
        try:
            # Standard error and the terminal stay its own, as it may ask for a passphrase.
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        except (OSError, IndexError) as error:
            raise UsageError(f"{where} cannot be run: {error}") from None
        if done.returncode or not done.stdout.strip():
            raise UsageError(f"{where} failed with exit code {done.returncode}, or printed nothing")
        return Secret(done.stdout.splitlines()[0])


def config_file(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the place of the configuration file: that of AIOMLCOMMONS_CONFIG, or the platform's."""
    if given := environ.get(FILE):
        return Path(given)
    home = Path(environ.get("HOME") or Path.home())
    if given := environ.get("XDG_CONFIG_HOME"):
        folder = Path(given)
    elif platform == "win32":
        folder = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        folder = home / ".config"
    return folder / "aiomlcommons" / "config.toml"


def profile_named(name: str | None, file: Path) -> Profile | None:
    """Return the profile of a name, or the default one if the name is None and there is one. It blocks.

    Raises UsageError if there is no such profile or the file cannot be read; it names what is wrong.
    """
    tables = _tables(file, wanted=name)
    chosen = DEFAULT if name is None else name
    if chosen not in tables:
        if name is None:
            return None
        otherwise = f"it has {', '.join(sorted(tables)) or 'no profile'}"
        raise UsageError(f"there is no profile {name!r} in {file}; {did_you_mean(name, tables, otherwise)}")
    found = Profile(chosen, file, _checked(tables[chosen], f"the profile {chosen!r} in {file}"))
    if "password" in found.values and _is_open(file):
        print(f"aiomlcommons: others can read {file}, which holds a password: chmod 600 it", file=sys.stderr)
    return found


def _tables(file: Path, wanted: str | None) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if wanted is None:
            return {}
        raise UsageError(f"there is no profile {wanted!r}, because there is no file {file}") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from None
    for name, value in tables.items():
        if not isinstance(value, dict):
            raise UsageError(f"{file}: {name!r} must stand below the name of its profile, such as [default]")
    return tables


def _checked(values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    for key, value in values.items():
        if key not in KEYS:
            raise UsageError(f"{where}: {key!r} is no key; {did_you_mean(key, KEYS, 'there are ' + ', '.join(KEYS))}")
        # The value is not shown: it may be a credential.
        if not isinstance(value, KEYS[key]) or (isinstance(value, list) and not all(isinstance(x, str) for x in value)):
            raise UsageError(f"{where}: {key} must be {_words(KEYS[key])}, not {type(value).__name__}")
    if values.keys() >= _PASSWORDS:
        raise UsageError(f"{where} has both password and password_command: keep one")
    if not values.keys().isdisjoint(_PASSWORDS) and "user" not in values:
        raise UsageError(f"{where} has a password, but no user")
    return values


def _words(types: tuple[type, ...]) -> str:
    names = {str: "text", bool: "true or false", list: "a list of texts"}
    return " or ".join(names[kind] for kind in types)


def _is_open(file: Path) -> bool:
    """Return whether other users can read a file, on platforms where its mode tells."""
    return os.name == "posix" and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
