"""Compare the signatures of AwsAuth with botocore's: ``python -m tests.net.sigv4 10000 [SEED]``.

Each generated request is signed by AwsAuth, and by botocore's own ``SigV4Auth.add_auth`` on a request that was built
the straightforward way (path, and parameters before they are encoded). The headers must be equal, the emulator's
verifier must accept them with the bytes that aiohttp will send, and must refuse the same headers for a changed request.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import attrs
import botocore.auth
import botocore.credentials
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from yarl import URL

from aiomlcommons import AwsAuth, HttpRequest
from aiomlcommons.emulator.aws import AwsVerifier, Received
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.net import aws
from aiomlcommons.net.urls import base_of, check_url

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
STAMP = "20260301T123015Z"
ODD = "aZ09-._~ !\"#$%&'()*+,/:;<=>?@[\\]^`{|}\t\u00e4\u00df\u20ac\u4f60\U0001f600"
# What may stand in a path that was quoted by hand: everything but what would end it.
BARE = "aZ09-._~!$&'()*+,:;=@|^[]{}<>\"\\`"
BASES = [
    "https://search-mine-abc.eu-west-1.es.amazonaws.com",
    "https://abc123.us-east-1.aoss.amazonaws.com:443",
    "https://Search-MINE-abc.EU-West-1.es.amazonaws.com/",
    "http://localhost:80",
    "http://127.0.0.1:9200/prefix/%C3%A4 b",
    "https://[::1]:9200",
    "https://[2001:db8::1]/a/prefix",
    "https://b\u00fccher.example:8443",
    "http://user:secret@vpc-x.eu-central-1.es.amazonaws.com:9200",
]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]
REGIONS = ["eu-west-1", "us-gov-west-1", "cn-north-1"]
MB = 2**20


@attrs.frozen
class Case:
    """A request, the same before it was encoded, and the credentials to sign it with."""

    request: HttpRequest
    pairs: list[tuple[str, str]]
    access_key: str
    secret_key: str
    token: str | None
    region: str
    service: str


class Cases:
    """Generated cases; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - test cases

    def of(self, count: int) -> Iterator[Case]:
        """Yield cases, a few of them with a body of 10 MB."""
        for number in range(count):
            yield self._case(self._random.randbytes(10 * MB) if number % 2_500 == 1_000 else self._body())

    def _case(self, body: bytes | None) -> Case:
        pick = self._random
        own = [(self._text(), self._text()) for _ in range(pick.choice([0, 0, 0, 1, 3]))]
        query = {self._text(): self._text() for _ in range(pick.choice([0, 0, 1, 2, 4]))}
        if own and pick.random() < 0.5:
            own.append((own[0][0], self._text()))  # a key twice
        # As a caller may write it: quoted more or less, spaces as +.
        written = "&".join(f"{self._quoted(name)}={self._quoted(value)}" for name, value in own)
        path = self._path() + (f"?{written}" if written else "")
        base = base_of(check_url(pick.choice(BASES)))
        headers = {"x-opaque-id": self._text(ascii_only=True), "user-agent": "a b", "content-type": "application/json"}
        if pick.random() < 0.1:
            headers["x-amz-meta"] = f"  {self._text(ascii_only=True)}   {self._text(ascii_only=True)} "
        if pick.random() < 0.1:
            headers["host"] = "a-tunnel.example:1234"
        request = HttpRequest(pick.choice(METHODS), path, query, body, base=base).with_headers(headers)
        temporary = pick.random() < 0.5
        return Case(
            request,
            [*own, *query.items()],
            f"{'ASIA' if temporary else 'AKIA'}{pick.randrange(10**16):016}",
            pick.randbytes(30).hex(),
            f"{pick.randbytes(300).hex()}+/==" if temporary else None,
            pick.choice(REGIONS),
            pick.choice(["es", "aoss"]),
        )

    def _text(self, *, ascii_only: bool = False) -> str:
        letters = "abc-._~ !'()*+,:/" if ascii_only else ODD
        return "".join(self._random.choices(letters, k=self._random.choice([0, 1, 3, 8, 30]))).strip("\t ") or "x"

    def _path(self) -> str:
        segments = [self._segment() for _ in range(self._random.choice([0, 1, 2, 5]))]
        return "/" + "/".join(segments) + self._random.choice(["", "", "", "/"])

    def _segment(self) -> str:
        kind = self._random.random()
        if kind < 0.1:
            return self._random.choice(["%2E%2E", "%2E", "..", ".", "", "%2F%2F", "a%2Fb", "%25", "%2f"])
        if kind < 0.3:
            return "".join(self._random.choices(BARE, k=6))
        return quote(self._text(), safe="")

    def _quoted(self, text: str) -> str:
        return quote(text, safe=self._random.choice(["", "/", ",*:/", "~"])).replace("%20", "+")

    def _body(self) -> bytes | None:
        size = self._random.choice([None, 0, 1, 100, 100, 5_000])
        return None if size is None else self._random.randbytes(size)


async def by_us(case: Case, session: Any) -> dict[str, str]:
    """Return the headers of AwsAuth with the credentials of a case, which are put into the session."""
    session.set_credentials(case.access_key, case.secret_key, case.token)
    return dict(await AwsAuth(case.region, case.service, session).headers(case.request))  # type: ignore[arg-type]


def by_botocore(case: Case) -> dict[str, str]:
    """Return the headers of botocore's add_auth, on a request that is built from what the caller meant."""
    given = case.request.headers
    own = {name: value for name, value in given.items() if name == "host" or name.startswith("x-amz-")}
    digest = sha256(case.request.body or b"").hexdigest()
    url = case.request.base + case.request.path.partition("?")[0]
    made = AWSRequest(
        case.request.method,
        url,
        {**own, "x-amz-content-sha256": digest},
        case.request.body,
        params=case.pairs or None,
    )
    credentials = botocore.credentials.ReadOnlyCredentials(case.access_key, case.secret_key, case.token)
    SigV4Auth(credentials, case.service, case.region).add_auth(made)
    signed = {name.lower(): value for name, value in made.headers.items()}
    host = signed.get("host") or botocore.auth._host_from_url(url)
    names = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization")
    return {"host": host, **{name: signed[name] for name in names if name in signed}}


def received(case: Case, headers: dict[str, str]) -> Received:
    """Return the request as aiohttp will send it."""
    pairs = {**case.request.headers, **headers}
    target = URL(case.request.url, encoded=True).raw_path_qs
    return Received(case.request.method, target, list(pairs.items()), case.request.body or b"")


def verifier(case: Case) -> AwsVerifier:
    """Return a verifier that accepts the credentials of a case."""
    made = AwsVerifier(case.region, case.service, clock=lambda: NOW)
    made.allow(case.access_key, case.secret_key, case.token)
    return made


def changes(got: Received) -> dict[str, Received]:
    """Return the request as an attacker, or a proxy, would change it."""
    path, mark, query = got.target.partition("?")
    flipped = got.body[:-1] + bytes([got.body[-1] ^ 1]) if got.body else b"x"
    others = [(name, value + "x" if name == "host" else value) for name, value in got.headers]
    return {
        "method": attrs.evolve(got, method="PUT" if got.method == "POST" else "POST"),
        "path": attrs.evolve(got, target=f"{path}x{mark}{query}"),
        "query": attrs.evolve(got, target=f"{got.target}{'&' if mark else '?'}x=1"),
        "body": attrs.evolve(got, body=flipped),
        "host": attrs.evolve(got, headers=others),
        "header": attrs.evolve(got, headers=[*got.headers, ("X-Amz-Other", "1")]),
    }


def accepts(judge: AwsVerifier, got: Received) -> bool:
    """Return whether the verifier lets a request through."""
    try:
        judge.check(got)
    except Refused:
        return False
    return True


async def compare(count: int, seed: int, show: Callable[[str], Any] = print) -> Counter[str]:
    """Compare so many cases; return how many differ, are refused by the verifier, or are accepted though changed."""
    found: Counter[str] = Counter(cases=0, different=0, refused=0, accepted=0)
    session = botocore.session.Session()
    with (
        patch.object(aws, "timestamp", lambda: STAMP),
        patch.object(botocore.auth, "get_current_datetime", lambda: NOW),
    ):
        for case in Cases(seed).of(count):
            ours, theirs = await by_us(case, session), by_botocore(case)
            got, judge = received(case, ours), verifier(case)
            accepted = [name for name, changed in changes(got).items() if accepts(judge, changed)]
            found.update(cases=1, different=ours != theirs, refused=not accepts(judge, got), accepted=len(accepted))
            if ours != theirs or accepted or not accepts(judge, got):
                show(f"{case.request!r} {case.pairs}\n  ours   {ours}\n  theirs {theirs}\n  accepted: {accepted}")
    return found


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    result = asyncio.run(compare(wanted, chosen))
    print(
        f"{result['cases']} requests, seed {chosen}: {result['different']} differ from botocore's signature, "
        f"{result['refused']} are refused by the verifier; "
        f"of {len(changes(Received('GET', '/', [], b'')))} changes to each it accepts {result['accepted']}"
    )
    sys.exit(result["different"] + result["refused"] + result["accepted"] > 0)
