"""Signatures of AWS (SigV4), verified as the gateways of managed domains and of Serverless collections do.

Written from the specification, for requests as they are received, and without botocore, so that it can judge a signer:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The order of the checks is
what users of dynalite found out of DynamoDB's gateway; the words are those that ``trouble/aws.py`` names.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import attrs

from aiomlcommons.emulator.errors import Refused
from aiomlcommons.typed import typed_fields

ALGORITHM = "AWS4-HMAC-SHA256"
TOLERATED = timedelta(minutes=5)
_BARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PARTS = ("Credential", "Signature", "SignedHeaders")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@attrs.frozen
class Received:
    """A request as received: ``target`` is the raw path and query, ``headers`` are all pairs in their order."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header in its canonical form: spaces trimmed, values of one name joined; None if there is none."""
        found = [" ".join(value.split()) for key, value in self.headers if key.lower() == name]
        return ",".join(found) if found else None


@attrs.frozen
class _Key:
    secret: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    expired: bool = False


@attrs.define(field_transformer=typed_fields)
class AwsVerifier:
    """The gateway of a domain (service ``es``) or of a Serverless collection (``aoss``), for ``Emulator(aws=...)``.

    It lets through what is signed with a key that was allowed, for its region and service, within five minutes of
    ``clock``. Other requests get AWS's own words with 403; from Serverless, 403 without words.
    """

    region: str = "us-east-1"
    service: str = "es"
    clock: Callable[[], datetime] = attrs.field(default=lambda: datetime.now(UTC), kw_only=True, repr=False)
    _keys: dict[str, _Key] = attrs.field(factory=dict, init=False, repr=False)

    def allow(self, access_key: str, secret_key: str, token: str | None = None) -> None:
        """Accept signatures with these credentials; temporary ones have a session token."""
        self._keys[access_key] = _Key(secret_key, token)

    def expire(self, access_key: str) -> None:
        """Let temporary credentials expire."""
        self._keys[access_key] = attrs.evolve(self._keys[access_key], expired=True)

    def check(self, request: Received) -> None:
        """Raise Refused (403) unless the request is signed as it should be."""
        try:
            self._check(request)
        except Refused as error:
            raise (_wordless() if self.service == "aoss" else error) from None

    def _check(self, request: Received) -> None:
        parts = _authorization(request)
        date = request.header("x-amz-date") or ""
        self._check_date(date)
        signed = parts["SignedHeaders"].split(";")
        if "host" not in signed:
            raise _refused("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        scope = parts["Credential"].split("/")
        self._check_scope(scope, date)
        key = self._key(scope[0], request.header("x-amz-security-token"))
        text = _canonical(request, signed)
        to_sign = "\n".join([ALGORITHM, date, "/".join(scope[1:]), sha256(text.encode()).hexdigest()])
        wanted = _signature(key.secret, scope[1:], to_sign)
        if not hmac.compare_digest(wanted, parts["Signature"]) or not self._covers(request, signed):
            should = f"The Canonical String for this request should have been\n'{text}'"
            raise _refused(f"{_MISMATCH}\n\n{should}\n\nThe String-to-Sign should have been\n'{to_sign}'\n")

    def _check_date(self, date: str) -> None:
        if not re.fullmatch(r"\d{8}T\d{6}Z", date):
            raise _refused(
                f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        now = self.clock()
        earliest, latest, shown = (f"{at:%Y%m%dT%H%M%SZ}" for at in (now - TOLERATED, now + TOLERATED, now))
        if date < earliest:
            raise _refused(f"Signature expired: {date} is now earlier than {earliest} ({shown} - 5 min.)")
        if date > latest:
            raise _refused(f"Signature not yet current: {date} is still later than {latest} ({shown} + 5 min.)")

    def _check_scope(self, scope: Sequence[str], date: str) -> None:
        if len(scope) != 5:
            got = "/".join(scope)
            wanted = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
            raise _refused(f"{wanted}, got '{got}'")
        _, day, region, service, end = scope
        wrong = ""
        if region != self.region:
            wrong += f"Credential should be scoped to a valid region, not '{region}'. "
        if service != self.service:
            wrong += f"Credential should be scoped to correct service: '{self.service}'. "
        if end != "aws4_request":
            wrong += f"Credential should be scoped with a valid terminator: 'aws4_request', not '{end}'. "
        if day != date[:8]:
            meant = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
            wrong += f"{meant}: '{day}' != '{date[:8]}', from '{date}'. "
        if wrong:
            raise _refused(wrong)

    def _key(self, access_key: str, token: str | None) -> _Key:
        key = self._keys.get(access_key)
        if key is None or token != key.token:
            raise _refused("The security token included in the request is invalid.")
        if key.expired:
            raise _refused("The security token included in the request is expired")
        return key

    def _covers(self, request: Received, signed: Sequence[str]) -> bool:
        """Return whether all headers of AWS are signed; Serverless wants the hash of the body among them."""
        unsigned = {name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")} - set(signed)
        digest = request.header("x-amz-content-sha256")
        if digest not in {None, sha256(request.body).hexdigest()} or unsigned:
            return False
        # It refuses content-length: https://github.com/opensearch-project/opensearch-js/issues/356
        return self.service != "aoss" or (digest is not None and "content-length" not in signed)


def _authorization(request: Received) -> Mapping[str, str]:
    given = request.header("authorization")
    if given is None:
        what = {"HEAD": "es:ESHttpHead"}.get(request.method, f"es:ESHttp{request.method.capitalize()}")
        why = f"because no resource-based policy allows the {what} action"
        raise Refused(403, {"Message": f"User: anonymous is not authorized to perform: {what} {why}"})
    scheme, _, rest = given.partition(" ")
    parts: dict[str, str] = {}
    for pair in rest.split(","):
        name, equals, value = pair.strip().partition("=")
        if not equals:
            raise _refused(
                f"'{pair.strip()}' not a valid key=value pair (missing equal-sign) in Authorization header: '{given}'."
            )
        parts[name] = value
    missing = "".join(f"Authorization header requires '{name}' parameter. " for name in _PARTS if name not in parts)
    if missing or request.header("x-amz-date") is None:
        date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        raise _refused(f"{missing}{'' if request.header('x-amz-date') else date}Authorization={given}")
    if scheme != ALGORITHM:
        raise _refused(f"Unsupported AWS 'algorithm': '{scheme}' (only AWS4-HMAC-SHA256 for now). ")
    return parts


def _canonical(request: Received, signed: Sequence[str]) -> str:
    path, _, query = request.target.partition("?")
    lines = [f"{name}:{request.header(name) or ''}" for name in signed]
    digest = sha256(request.body).hexdigest()
    return "\n".join([request.method, _path(path), _query(query), *lines, "", ";".join(signed), digest])


def _path(raw: str) -> str:
    """Return the path without empty and dotted segments, encoded once more: only S3 takes it as it is."""
    kept: list[str] = []
    for segment in raw.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    end = "/" if kept and raw.endswith("/") else ""
    return "/" + "/".join(map(_encoded, kept)) + end


def _query(raw: str) -> str:
    pairs = (pair.partition("=") for pair in raw.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in sorted((_again(n), _again(v)) for n, _, v in pairs))


def _again(part: str) -> str:
    """Decode a part of the query, and encode it as SigV4 wants it."""
    decoded = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), part.encode())
    return _encoded(decoded)


def _encoded(part: str | bytes) -> str:
    raw = part.encode() if isinstance(part, str) else part
    return "".join(chr(byte) if byte in _BARE else f"%{byte:02X}" for byte in raw)


def _signature(secret: str, scope: Sequence[str], to_sign: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _refused(message: str) -> Refused:
    return Refused(403, {"message": message}, {"x-amzn-requestid": secrets.token_hex(16)})


def _wordless() -> Refused:
    name = secrets.token_hex(16)
    body = {"status": 403, "request-id": name, "error": {"reason": "403 Forbidden", "type": "Forbidden"}}
    hint = {"x-request-id": name, "x-aoss-response-hint": "X01:gw-helper-deny", "server": "aoss-amazon"}
    return Refused(403, body, hint)
