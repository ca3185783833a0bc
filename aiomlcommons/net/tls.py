"""TLS options: verification of the server's certificate, and a client certificate (mutual TLS)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from aiomlcommons.net.secret import Secret, reveal


@attrs.frozen(kw_only=True)
class TLS:
    """TLS options of a session.

    ``verify=False`` accepts any certificate: for a throw-away cluster only. ``ca_certs`` is a PEM file of the
    authorities to trust in place of the system's; ``client_cert`` and ``client_key`` are PEM files, or one file with
    both.
    """

    verify: bool = True
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password: str | Secret | None = attrs.field(default=None, repr=lambda _: "'***'")

    def context(self) -> ssl.SSLContext:
        """Create the SSL context. It reads files, so call it in a thread, not on the event loop.

        Raises FileNotFoundError or ssl.SSLError, naming the file, and ValueError for a key without a certificate.
        """
        if self.client_key and not self.client_cert:
            raise ValueError("client_key requires client_cert: give the certificate too")
        with _naming("ca_certs", self.ca_certs):
            context = ssl.create_default_context(cafile=self.ca_certs)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            # Without a password OpenSSL would prompt on the terminal; an empty one fails, and suits an unencrypted key.
            with _naming("client_cert", self.client_cert):
                context.load_cert_chain(self.client_cert, self.client_key, reveal(self.client_key_password or ""))
        return context


@contextmanager
def _naming(option: str, path: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"{option}={path!r} cannot be used: {error.strerror}") from error
