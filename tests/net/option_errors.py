"""What is said of each option with a wrong type or value, as a table: ``python -m tests.net.option_errors``."""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiomlcommons import AwsAuth, Backoff, BasicAuth, BearerAuth, Hedge, HttpRequest, HttpResponse, Session, Timeout

HUSH = "h0sh-h0sh"
"""A secret: no message may show it."""

PLACES: Mapping[str, Callable[..., Any]] = {
    "Session": lambda **options: Session(**{"url": "https://node:9200", **options}),
    "ml.options": lambda **options: Session("https://node:9200").options(**options),
    "Timeout": Timeout,
    "Backoff": Backoff,
    "Hedge": Hedge,
    "BasicAuth": lambda **options: BasicAuth(**{"username": "admin", "password": HUSH, **options}),
    "BearerAuth": BearerAuth,
    "AwsAuth": AwsAuth,
    "Session.from_env": Session.from_env,
    "environment": lambda **environ: Session.from_env({"OPENSEARCH_URL": "https://node:9200", **environ}),
}
"""What takes options, by name."""


@attrs.frozen
class Wrong:
    """Options of a place that are refused; ``option`` is the one at fault, ``accepted`` what must be said of it."""

    place: str
    option: str
    given: Mapping[str, Any]
    accepted: str

    def error(self) -> Exception:
        """Return the error that they raise."""
        try:
            PLACES[self.place](**self.given)
        except (TypeError, ValueError) as error:
            return error
        raise AssertionError(f"{self} is not refused")

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.given.items()).replace(HUSH, "***")
        return f"{self.place}({re.sub(' (at 0x|from )[^>]*', '', shown)})"


def _cases(place: str, option: str, accepted: str, *values: Any) -> list[Wrong]:
    return [Wrong(place, option, {option: value}, accepted) for value in values]


class NoTransport:
    """Something that is no transport."""


async def _answer(request: HttpRequest, timeout: Timeout) -> HttpResponse:
    raise AssertionError("nothing is sent")


CONTEXT = ssl.create_default_context()

URL = "must be like 'https://host:9200'"
LIMIT = "a number of seconds above 0, "
HEADER = "a printable text without line breaks"
PROXY = "must be like 'http://proxy:3128'"
AMAZONS = "https://domain.eu-west-1.es.amazonaws.com"
TRANSPORT = "must have open, close, send and stream"
PEM = "the path of a PEM file"
HEX = "a SHA-256 in hex, with or without colons"

# What a session and a view of it take alike; None is a value of its own for a session, and no change for a view.
BOTH: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "auth": (
        "a pair (user name, password), BasicAuth, BearerAuth or AwsAuth",
        (("only",), ("a", HUSH, "c"), f"admin:{HUSH}", ["admin", HUSH], 5, BasicAuth, {"admin": HUSH}),
    ),
    "timeout": (LIMIT, (-1, 0, "5", math.nan, math.inf, True, [5])),
    "retries": ("a whole number of at least 0", (-1, 1.5, "3", True, math.nan)),
    "wait": ("a number of seconds of at least 0", (-1, math.nan, "60", True)),
    "backoff": ("a Backoff, such as Backoff(first=0.5)", (0.5, "fast", {"first": 1}, Backoff)),
    "headers": (
        HEADER,
        (
            {"x-team": f"{HUSH}\r\nx-evil: 1"},
            {"x-team": None},
            {"x-team": 5},
            {"authorization": HUSH.encode()},
        ),
    ),
    "tenant_id": (HEADER, ("", "acme\n", 7)),
    "max_response_bytes": ("a whole number of at least 1", (0, -1, "10", 1.5, True)),
    "hedge": ("a number of seconds above 0, or a Hedge", (0, -1, "0.2", True, math.nan, {"after": 1}, Hedge)),
}
NAMES = ({f"Bearer {HUSH}": "authorization"}, {"": "a"}, {"x:y": "a"}, {5: "a"}, {"größe": "a"})

WRONG = [
    *_cases("Session", "url", URL, "node:9200", "node", "", "ftp://node", "https://node/?pretty", "https://node/#top"),
    *_cases("Session", "url", URL, f"https://admin:{HUSH}@node:99999", f"admin:{HUSH}@node:9200"),
    *_cases("Session", "url", URL, 5, None, b"https://node:9200", [5], ["https://a", "b"]),
    *_cases("Session", "url", "must name a node at least", [], ()),
    *_cases("Session", "url", "must name nodes that all speak https", ["https://a:9200", "http://b:9200"]),
    *(
        case
        for option, (accepted, values) in BOTH.items()
        for place in ("Session", "ml.options")
        for case in _cases(place, option, accepted, *values)
    ),
    *(
        case
        for place in ("Session", "ml.options")
        for case in _cases(place, "headers", "a word of letters, digits and", *NAMES)
    ),
    *_cases("Session", "headers", "a mapping from names to texts", f"x-team: {HUSH}", [("x-team", HUSH)], HUSH),
    *_cases("ml.options", "opaque_id", HEADER, "", "a\nb", 5),
    *_cases("Session", "retries", "a whole number of at least 0", None),
    *_cases("Session", "verify", "True or False", "false", 0, None, "/etc/ssl/ca.pem"),
    *_cases("Session", "ca_certs", PEM, "", True, b"ca.pem"),
    *_cases("Session", "client_cert", PEM, "", True, ("cert.pem", "key.pem")),
    *_cases("Session", "client_key", PEM, "", 5),
    *_cases("Session", "client_key", "requires client_cert", "key.pem"),
    *_cases("Session", "client_key_password", "a text or a Secret", 5, HUSH.encode()),
    *_cases("Session", "client_key_password", "requires client_cert", HUSH),
    *_cases("Session", "fingerprint", HEX, "", "ab:cd", "zz" * 32, "ab" * 20, bytes(32)),
    *_cases("Session", "ssl_context", "an ssl.SSLContext", True, "ca.pem", ssl),
    *_cases("Session", "ssl_context", "ssl.create_default_context()", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
    Wrong("Session", "ssl_context", {"ssl_context": CONTEXT, "verify": False}, "do not give verify with it"),
    Wrong("Session", "transport", {"transport": _answer, "ssl_context": CONTEXT}, "takes the place of what proxy"),
    Wrong("Session", "transport", {"transport": _answer, "proxy": "http://proxy"}, "takes the place of what proxy"),
    Wrong("Session", "fingerprint", {"fingerprint": "ab" * 32, "ca_certs": "ca.pem"}, "do not give ca_certs with it"),
    Wrong("Session", "fingerprint", {"url": "http://node:9200", "fingerprint": "ab" * 32}, "must begin with https"),
    *_cases("Session", "proxy", PROXY, "proxy:3128", "", f"https://me:{HUSH}@proxy:3128", "http://proxy/path"),
    *_cases("Session", "proxy", "the URL of a proxy", 3128, HUSH.encode(), {"https": f"http://me:{HUSH}@proxy"}),
    Wrong("Session", "proxy", {"proxy": "http://proxy:3128", "trust_env": True}, "exclude each other"),
    *_cases("Session", "trust_env", "True or False", "yes", 1, None),
    *_cases("Session", "user_agent", HEADER, "", "a\r\nb", None, 5),
    *_cases("Session", "pool_size", "a whole number of at least 1", 0, -1, "10", 1.5, None, True),
    *_cases("Session", "gzip", "True or False", "yes", 1, None),
    *_cases("Session", "compat", "a version of OpenSearch, such as '2.4'", "eight", "", "8.1", "2.x", 2.4, (2, 4)),
    *_cases(
        "Session", "flavor", "'opensearch', 'managed' (Amazon OpenSearch Service) or 'aoss'", "AOSS", "", 3, b"aoss"
    ),
    *_cases("Session", "discover", "True, False or a number of seconds above 0", 0, -5, "yes", None, math.nan),
    Wrong("Session", "discover", {"url": "https://proxy/search", "discover": True}, "not of a proxy with a path"),
    Wrong("Session", "discover", {"url": AMAZONS, "discover": 60}, "Amazon's services, which have one address"),
    *_cases("Session", "transport", TRANSPORT, object(), "aiohttp", NoTransport, 0, False),
    Wrong("Session", "tenant_id", {"tenant_id": "a", "headers": {"X-Tenant-Id": "b"}}, "give one of them"),
    Wrong("Session", "auth", {"auth": ("a", HUSH), "headers": {"Authorization": HUSH}}, "give one of them"),
    Wrong("Session", "auth", {"url": f"https://admin:{HUSH}@node", "auth": ("a", HUSH)}, "give them once"),
    *_cases("Session", "tiemout", "did you mean 'timeout'?", 5),
    *_cases("Session", "verify_certs", "did you mean 'verify'", False),
    *_cases("Session", "quux", "there are url, auth, verify", 5),
    *_cases("ml.options", "retry", "did you mean 'retries'?", 5),
    *_cases("ml.options", "verify", "there are auth, timeout", False),
    *(
        case
        for field in ("connect", "read", "total")
        for case in _cases("Timeout", field, LIMIT, -1, 0, "5", math.nan, True)
    ),
    *_cases("Backoff", "first", "a number of seconds of at least 0", -1, "0.1", math.nan, None, True),
    *_cases("Backoff", "cap", "a number of seconds of at least 0", -1, "10", math.nan),
    *_cases("Backoff", "factor", "a number of at least 1", 0.9, "2", math.nan),
    *_cases("Backoff", "jitter", "a number from 0 to 1", -0.1, 1.1, "half", math.nan),
    *_cases("Hedge", "after", "a number of seconds above 0", 0, -1, "0.2", math.nan, True),
    Wrong("Hedge", "cap", {"after": 1, "cap": 1.5}, "a share from 0 to 1"),
    Wrong("Hedge", "cap", {"after": 1, "cap": "5 %"}, "a share from 0 to 1"),
    *_cases("BasicAuth", "username", "a text without a colon", f"a:{HUSH}", 5, None),
    *_cases("BasicAuth", "password", "a text or a Secret", 5, None, HUSH.encode()),
    *_cases("BearerAuth", "token", "visible ASCII characters", "", f"{HUSH}\n", 5, HUSH.encode()),
    *_cases(
        "AwsAuth", "region", "be like 'eu-west-1'; credentials come from session=", "", "es", "eu west", 5, f"{HUSH}/"
    ),
    Wrong("AwsAuth", "region", {"region": "AKIA1", "service": HUSH}, "be like 'eu-west-1'"),
    *_cases("AwsAuth", "service", "'es' (OpenSearch Service) or 'aoss' (OpenSearch Serverless)", HUSH, None, ["es"], 5),
    *_cases("AwsAuth", "session", "a session of botocore or boto3", HUSH, ("AKIA1", HUSH), 5),
    *_cases("environment", "OPENSEARCH_VERIFY_CERTS", "must be true, false, 1, 0, yes or no", "maybe", "off", "2"),
    *_cases("Session.from_env", "environ", "a mapping from names to texts", "OPENSEARCH_URL=https://node", [HUSH]),
    *_cases("environment", "OPENSEARCH_URL", "it must be like 'https://host:9200'", "", " , "),
]


def main() -> None:
    """Print the table."""
    print("| given | what is said |\n| --- | --- |")
    for case in WRONG:
        error = case.error()
        cells = (f"`{case}`", f"{type(error).__name__}: {error}")
        print("|", " | ".join(cell.replace("|", "\\|").replace("\n", "\\n") for cell in cells), "|")
    print(f"\n{len(WRONG)} wrong options, all of them refused before anything is opened.")


if __name__ == "__main__":
    main()
