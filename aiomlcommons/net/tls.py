"""TLS options: how the server's certificate is verified or pinned, and a client certificate (mutual TLS)."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from aiomlcommons.net.secret import Secret, reveal

OLDEST = ssl.TLSVersion.TLSv1_2
# SHA-256 in hex, as `openssl x509 -fingerprint -sha256` prints it, or without colons.
_FINGERPRINT = re.compile(r"([0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}|[0-9a-fA-F]{64}")


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


@attrs.frozen(kw_only=True)
class TLS:
    """TLS options of a session; TLS 1.2 is the oldest version.

    ``verify=False`` accepts any certificate: for a throw-away cluster only. ``ca_certs`` is a PEM file of the
    authorities to trust in place of the system's; ``client_cert`` and ``client_key`` are PEM files, or one file with
    both. ``fingerprint`` is the SHA-256 of the one certificate to accept, whoever signed it and whatever host it names.
    ``ssl_context`` takes the place of all others.

    Raises ValueError for options that exclude each other.
    """

    verify: bool = True
    ca_certs: str | None = attrs.field(default=None, converter=_path)
    client_cert: str | None = attrs.field(default=None, converter=_path)
    client_key: str | None = attrs.field(default=None, converter=_path)
    client_key_password: str | Secret | None = attrs.field(default=None, repr=lambda _: "'***'")
    fingerprint: str | None = None
    ssl_context: ssl.SSLContext | None = None

    def __attrs_post_init__(self) -> None:
        given = [field.name for field in attrs.fields(TLS) if getattr(self, field.name) is not field.default]
        excluded = {"ssl_context": given, "fingerprint": [name for name in given if name in {"verify", "ca_certs"}]}
        for option, others in excluded.items():
            if option in given and (rivals := [name for name in others if name != option]):
                raise ValueError(
                    f"{option} decides by itself what is trusted: do not give {' and '.join(rivals)} with it"
                )
        for option, needed in (("client_key", "client_cert"), ("client_key_password", "client_cert")):
            if option in given and needed not in given:
                raise ValueError(f"{option} requires {needed}: give the certificate too")
        if self.ssl_context is not None:
            _check_context(self.ssl_context)

    def check_scheme(self, scheme: str) -> None:
        """Raise ValueError for options that promise what a URL of another scheme than https does not keep."""
        given = [name for name in ("fingerprint", "ssl_context", "client_cert") if getattr(self, name) is not None]
        if given and scheme != "https":
            raise ValueError(f"{given[0]} is for TLS: the URL must begin with https")

    @property
    def insecure(self) -> bool:
        """Whether any certificate is accepted, so that anyone on the way may pose as the cluster."""
        return not self.verify or (self.ssl_context is not None and self.ssl_context.verify_mode is ssl.CERT_NONE)

    def context(self) -> ssl.SSLContext:
        """Return the SSL context. It reads files, so call it in a thread, not on the event loop.

        Raises OSError or ssl.SSLError, which name the option and the file.
        """
        if self.ssl_context is not None:
            return self.ssl_context
        with _naming("ca_certs", self.ca_certs):
            context = ssl.create_default_context(cafile=self.ca_certs)
        context.minimum_version = max(context.minimum_version, OLDEST)  # the system may ask for a newer one
        if not self.verify or self.fingerprint:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.fingerprint:
            # aiohttp has Fingerprint for this, but it drops the context, and with it a client certificate.
            context.sslobject_class = _pinned(bytes.fromhex(self.fingerprint.replace(":", "")))
        if self.client_cert:
            self._add_client(context, self.client_cert)
        return context

    def _add_client(self, context: ssl.SSLContext, cert: str) -> None:
        for option, path in (("client_cert", cert), ("client_key", self.client_key)):
            with _naming(option, path):
                if path is not None:
                    Path(path).open("rb").close()  # OpenSSL does not say which of the two files is missing
        asked: list[bool] = []

        def password() -> str:
            # Without a function, or a password, OpenSSL would ask for one on the terminal.
            asked.append(True)
            return reveal(self.client_key_password or "")

        try:
            context.load_cert_chain(cert, self.client_key, password)
        except ssl.SSLError as error:
            raise ssl.SSLError(error.errno, self._client_trouble(error, bool(asked))) from error

    def _client_trouble(self, error: ssl.SSLError, asked: bool) -> str:
        key = f"client_key={self.client_key!r}" if self.client_key else f"the key in client_cert={self.client_cert!r}"
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{key} does not belong to the certificate in client_cert={self.client_cert!r}"
        if asked and self.client_key_password:
            return f"client_key_password does not open {key}"
        if asked:
            return f"{key} is encrypted: give its password in client_key_password"
        files = f"client_cert={self.client_cert!r}" + (f" with {key}" if self.client_key else "")
        return (
            f"{files} cannot be used: {error.strerror}; both must be PEM, and a client_cert alone must hold the key too"
        )


def is_fingerprint(text: str) -> bool:
    """Return whether a text is a SHA-256 in hex, with or without colons."""
    return _FINGERPRINT.fullmatch(text) is not None


def _check_context(context: ssl.SSLContext) -> None:
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise ValueError("ssl_context is one for servers: make it by ssl.create_default_context()")
    if context.minimum_version < OLDEST:
        remedy = "set ssl_context.minimum_version = ssl.TLSVersion.TLSv1_2"
        raise ValueError(f"ssl_context allows versions before TLS 1.2, which are broken: {remedy}")


def _pinned(expected: bytes) -> type[ssl.SSLObject]:
    """Return the class of a connection that ends its handshake with an error if the certificate is another one."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").digest()
            if found != expected:
                words = f"its SHA-256 fingerprint is {_hex(found)}, but fingerprint={_hex(expected)} is expected"
                raise ssl.SSLCertVerificationError(1, words)

    return Pinned


def _hex(digest: bytes) -> str:
    return digest.hex(":").upper()


@contextmanager
def _naming(option: str, path: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"{option}={path!r} cannot be used: {error.strerror}") from error
