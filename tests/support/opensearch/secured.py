"""A real OpenSearch with the security plugin: TLS by an authority of the tests, users, roles, tokens, two nodes.

Node one is the cluster manager; node two holds data only, so that it may die without an election. All of it costs one
start of two servers, which every case shares: ``with secured() as cluster``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import attrs
import trustme
from cryptography.hazmat.primitives import serialization

from aiomlcommons import Session
from tests.support.authority import Authority
from tests.support.opensearch.artifacts import SECURED
from tests.support.opensearch.secured_config import ADMIN, NODE, SUBJECT, files, settings
from tests.support.opensearch.server import FAST, Server

HEAP = "512m"
HOST = "127.0.0.1"


class SecuredServer(Server):
    """A node with TLS, whose certificate for HTTP can be replaced while it runs; ``seed`` is a node to join."""

    def __init__(self, authority: Authority, name: str, signing_key: str, seed: SecuredServer | None = None) -> None:
        self.authority, self.name, self._signing_key, self._seed = authority, name, signing_key, seed
        self.transport_port, self._credentials = 0, {"authorization": _basic(*ADMIN)}
        super().__init__(HEAP, SECURED, FAST)

    @property
    def url(self) -> str:
        """The URL by the address that its certificate names."""
        return f"https://{HOST}:{self.port}"

    def spawn(self) -> None:
        """Start it without waiting for more than its address within the cluster."""
        self._transport.unlink(missing_ok=True)
        super().spawn()

    def listen(self) -> None:
        """Wait until other nodes can join it."""
        assert self._process is not None, "it is not started"
        self._wait_until(self._transport.exists, self._process)
        self.transport_port = _port_in(self._transport)

    def wait(self) -> None:
        """Wait until its indices can be searched."""
        self.listen()
        super().wait()

    def show(self, issued: trustme.LeafCert) -> None:
        """Have it show another certificate for HTTP, from the next ``reloadcerts`` or start on."""
        self.shown = issued
        self._write_pair("http", issued)

    def issue(self, **options: Any) -> trustme.LeafCert:
        """Return a certificate of its authority for its address."""
        return self.authority.ca.issue_cert(HOST, **options)

    @property
    def _transport(self) -> Path:
        return self.home / "logs" / "transport.ports"

    def _lay_out(self, source: Path) -> None:
        super()._lay_out(source)
        config = self.home / "config" / SECURED.plugin
        shutil.copytree(self.home / "plugins" / SECURED.plugin / "config", config)
        for name, content in files(self._signing_key).items():
            (config / name).write_text(json.dumps(content))  # JSON is YAML as well
        self._configure("ca.pem", self.authority.ca_certs.read_text())
        self._write_pair("node", self.issue(common_name=NODE, **SUBJECT))
        self.show(self.issue())

    def _write_pair(self, name: str, issued: trustme.LeafCert) -> None:
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self._configure(f"{name}.key", key.private_bytes(*form).decode())  # Java reads no other form
        self._configure(f"{name}.pem", "".join(pem.bytes().decode() for pem in issued.cert_chain_pems))

    def _settings(self) -> Mapping[str, Any]:
        base = {name: value for name, value in super()._settings().items() if name != "discovery.type"}
        seed = self._seed.transport_port if self._seed else None
        return {**base, "transport.port": self.transport_port, **settings(self.name, HOST, seed)}

    def _connection(self) -> HTTPConnection:
        trusted = ssl.create_default_context(cafile=str(self.authority.ca_certs))
        return HTTPSConnection(HOST, self.port, timeout=10, context=trusted)


@attrs.define
class Cluster:
    """Two nodes, the authority of their certificates, and another authority that they do not know."""

    folder: Path
    authority: Authority = attrs.field(init=False)
    stranger: Authority = attrs.field(init=False)
    one: SecuredServer = attrs.field(init=False)
    two: SecuredServer = attrs.field(init=False)
    signing_key: bytes = attrs.field(factory=lambda: secrets.token_bytes(64))

    def __attrs_post_init__(self) -> None:
        folders = [self.folder / name for name in ("authority", "stranger")]
        for folder in folders:
            folder.mkdir()
        self.authority, self.stranger = map(Authority, folders)
        key = base64.b64encode(self.signing_key).decode()
        self.one = SecuredServer(self.authority, "one", key)
        self.two = SecuredServer(self.authority, "two", key, self.one)

    def start(self) -> None:
        """Start both nodes at once, and wait until both answer."""
        self.one.spawn()
        self.one.listen()
        self.two.spawn()
        self.one.wait()
        self.two.wait()

    def close(self) -> None:
        """Stop both nodes, and delete their data."""
        self.one.close()
        self.two.close()

    @property
    def urls(self) -> list[str]:
        """The URLs of both nodes."""
        return [self.one.url, self.two.url]

    def session(self, urls: str | list[str] | None = None, **options: Any) -> Session:
        """Return a session on node one, or on other URLs, that trusts the authority unless it is told otherwise."""
        trust = {} if {"ca_certs", "fingerprint", "verify"} & set(options) else {"ca_certs": self.authority.ca_certs}
        return Session(urls or self.one.url, **{**trust, **options})

    def admin(self, urls: str | list[str] | None = None, **options: Any) -> Session:
        """Return a session of the administrator."""
        return self.session(urls, auth=ADMIN, **options)

    def certificate(self, name: str, authority: Authority | None = None) -> Path:
        """Return a file with a client certificate of a user, and its key."""
        issued = (authority or self.authority).ca.issue_cert(f"{name}@example.org", common_name=name, **SUBJECT)
        path = self.folder / f"{name}-{secrets.token_hex(4)}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def token(self, name: str, *, key: bytes | None = None, **claims: Any) -> str:
        """Return a JWT of a user, signed with the cluster's key or another one."""
        parts = [_encoded({"alg": "HS512", "typ": "JWT"}), _encoded({"sub": name, **claims})]
        signature = hmac.digest(key or self.signing_key, b".".join(parts), hashlib.sha512)
        return b".".join([*parts, _quoted(signature)]).decode()


@contextmanager
def secured() -> Iterator[Cluster]:
    """Yield a cluster that runs; stop it and delete all that is of it at the end."""
    with tempfile.TemporaryDirectory(prefix="secured-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()


def _port_in(path: Path) -> int:
    return int(path.read_text().split()[0].rpartition(":")[2])


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _encoded(part: Mapping[str, Any]) -> bytes:
    return _quoted(json.dumps(part).encode())


def _quoted(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
