"""Which cluster, and as whom: options, then variables, then a profile; ``--profile`` comes before variables.

What a call needs is gathered under the names of environment variables, from which the session is made.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator, Mapping, Sequence

import attrs
from yarl import URL

from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.profiles import Profile, config_file, profile_named

URL_, USER, PASSWORD = "OPENSEARCH_URL", "OPENSEARCH_USERNAME", "OPENSEARCH_PASSWORD"
_REGION, _SERVICE = "OPENSEARCH_AWS_REGION", "OPENSEARCH_AWS_SERVICE"
_CA_CERTS, _VERIFY, _TENANT = "OPENSEARCH_CA_CERTS", "OPENSEARCH_VERIFY_CERTS", "OPENSEARCH_TENANT_ID"
# Not a variable of the session: the CLI passes it as an option.
_FLAVOR = "flavor"
# Credentials in a URL, which take the place of those that come after it.
_IN_URL = "in the URL"
# Of each group all counts that the first layer says which says any of it: a user of one and a region of another would
# be two ways to sign one request.
_GROUPS = ((URL_,), (USER, _REGION, _SERVICE, _IN_URL), (_CA_CERTS, _VERIFY), (_TENANT,), (_FLAVOR,))


@attrs.frozen
class Connection:
    """What a session is made from. ``flavor`` is None where it is to be found out."""

    environ: Mapping[str, str] = attrs.field(repr=False)
    flavor: str | None = None

    @property
    def has_url(self) -> bool:
        """Whether anything names a cluster."""
        return URL_ in self.environ


def connection(options: argparse.Namespace, environ: Mapping[str, str]) -> Connection:
    """Gather what options, variables and profile say; ask for a missing password on a terminal.

    It blocks. Raises UsageError for a profile that is wrong, and for a password that nobody gives.
    """
    profile = _profile(options, environ)
    flags, variables = _of_flags(options), {name: value for name, value in environ.items() if value}
    of_profile = {} if profile is None else _of_profile(profile)
    layers = [flags, of_profile, variables] if options.profile else [flags, variables, of_profile]
    found = dict(_merged(layers))
    if USER in found:
        found[PASSWORD] = _password(found, layers, flags, variables, profile)
    flavor = found.pop(_FLAVOR, None)
    found.pop(_IN_URL, None)
    return Connection(found, flavor)


def _password(
    found: Mapping[str, str],
    layers: Sequence[Mapping[str, str]],
    flags: Mapping[str, str],
    variables: Mapping[str, str],
    profile: Profile | None,
) -> str:
    """Return the password from where the user is named, else from where there is one, else from the terminal."""
    if PASSWORD in flags:
        return flags[PASSWORD]
    user = found[USER]
    kept = profile if profile is not None and profile.values.get("user") == user else None
    of_variables = next(layer for layer in layers if USER in layer) is variables
    if PASSWORD in variables and (of_variables or kept is None or not kept.has_password):
        return variables[PASSWORD]
    secret = None if kept is None else kept.password()
    return _asked(user, found.get(URL_, "")) if secret is None else secret.reveal()


def without_password(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command line without the password of ``--user``."""
    previous = ""
    for word in words:
        if previous == "--user":
            yield word.partition(":")[0]
        elif word.startswith("--user="):
            yield f"--user={word.removeprefix('--user=').partition(':')[0]}"
        else:
            yield word
        previous = word


def _profile(options: argparse.Namespace, environ: Mapping[str, str]) -> Profile | None:
    """Return the profile to use. That of a cluster with a URL is for this cluster only, for it holds credentials."""
    name = options.profile or environ.get("OPENSEARCH_PROFILE") or None
    other = options.url or (None if options.profile else environ.get(URL_))
    if name is None and other:
        return None  # the default profile is for those who name no cluster
    found = profile_named(name, config_file(environ))
    if found is None or "url" not in found.values or not other:
        return found
    if options.profile:
        raise UsageError(f"--url and --profile name two clusters, as the profile {found.name!r} has a url: give one")
    return None


def _of_flags(options: argparse.Namespace) -> dict[str, str]:
    user = None if options.user is None else options.user.partition(":")
    if user is not None and not user[0]:
        raise UsageError("--user must be like NAME or NAME:PASSWORD")
    if user is not None and _user_in(options.url):
        raise UsageError("there are credentials in --url and in --user: give them once")
    if options.insecure and options.ca_certs:
        raise UsageError("--insecure and --ca-certs exclude each other")
    given = {
        URL_: options.url,
        USER: user and user[0],
        PASSWORD: user[2] if user and user[1] else None,
        _CA_CERTS: options.ca_certs,
        _VERIFY: "false" if options.insecure else None,
        _FLAVOR: options.flavor,
        _IN_URL: _user_in(options.url),
    }
    return {name: value for name, value in given.items() if value is not None}


def _of_profile(profile: Profile) -> dict[str, str]:
    values = profile.values
    url = values.get("url")
    url = ",".join(url) if isinstance(url, list) else url
    insecure = values.get("insecure")
    given = {
        URL_: url,
        USER: values.get("user"),
        _CA_CERTS: None if "ca_certs" not in values else _beside(profile, values["ca_certs"]),
        _VERIFY: None if insecure is None else str(not insecure).lower(),
        _TENANT: values.get("tenant_id"),
        _REGION: values.get("aws_region"),
        _SERVICE: values.get("aws_service"),
        _FLAVOR: values.get("flavor"),
        _IN_URL: _user_in(url),
    }
    return {name: value for name, value in given.items() if value is not None}


def _user_in(url: str | None) -> str | None:
    return "user" if url and "@" in url else None


def _beside(profile: Profile, path: str) -> str:
    """Return a path of the configuration file, which is relative to its folder."""
    return str(profile.file.parent / os.path.expanduser(path))  # noqa: PTH111 - it keeps what names no home


def _merged(layers: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for group in _GROUPS:
        for layer in layers:
            if found := [(name, layer[name]) for name in group if name in layer]:
                yield from found
                break


def _asked(user: str, url: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            f"there is no password for {user}: set OPENSEARCH_PASSWORD, or password_command in a profile "
            "(standard input is not a terminal, so nobody can be asked)"
        )
    return getpass.getpass(f"password of {user} at {_host(url)}: ")


def _host(url: str) -> str:
    return URL(url.partition(",")[0]).host or "the cluster"
