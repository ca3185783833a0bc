"""A certificate authority for tests: certificates of servers and clients, as contexts and files."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import attrs
import trustme
from cryptography.hazmat.primitives import serialization


@attrs.frozen
class Authority:
    """An authority, and files in a folder: its certificate, and those that it issues."""

    folder: Path
    ca: trustme.CA = attrs.field(factory=trustme.CA)

    def __attrs_post_init__(self) -> None:
        self.ca.cert_pem.write_to_path(str(self.ca_certs))

    @property
    def ca_certs(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, name: str = "127.0.0.1", *, client: bool = False) -> ssl.SSLContext:
        """Return a context of a server, which asks for a certificate of the client if told so."""
        return self.context(self.ca.issue_cert(name), client=client)

    def context(self, issued: trustme.LeafCert, *, client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        if client:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, name: str = "client.pem") -> Path:
        """Return a file with a client's certificate and its key."""
        path = self.folder / name
        self.ca.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


def fingerprint(issued: trustme.LeafCert) -> str:
    """Return the SHA-256 of a certificate, in hex with colons."""
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    return hashlib.sha256(der).digest().hex(":").upper()


def locked(path: Path, password: str) -> Path:
    """Return a file with the key of a PEM file, under a password."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    sealed = serialization.BestAvailableEncryption(password.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    found = path.with_name(f"locked-{path.name}")
    found.write_bytes(pem)
    return found
