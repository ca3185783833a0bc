"""Whether an OpenSearch responds, and accepts the credentials."""

from __future__ import annotations

from ssl import SSLCertVerificationError

from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.errors import (
    ConnectError,
    Forbidden,
    MLCommonsError,
    NotOpenSearch,
    Redirected,
    RequestTimeout,
    SessionClosed,
    Unauthorized,
)

NAME = "connection"
_DOCTOR = "aiomlcommons doctor"
_LOOK = "openssl x509 -in client.pem -noout -issuer -dates"


async def check(facts: Facts) -> Checked:
    """Greet the cluster, and explain why that fails."""
    try:
        await facts.ml.greet()
    except SessionClosed:
        raise
    except MLCommonsError as error:
        return Checked(NAME, facts.ml.url, [_finding(facts.ml.url, error)])
    return Checked(NAME, f"{facts.ml.url} responds, and accepts the credentials")


def _finding(url: str, error: MLCommonsError) -> Finding:
    what, advice, command, python = _explained(url, error)
    words = getattr(error, "message", "") or str(error)
    return Finding(Severity.PROBLEM, what, words, advice=advice, command=command, python=python)


def _explained(url: str, error: MLCommonsError) -> tuple[str, str, str, str]:
    """Return what is wrong, the advice, the command, and the line of Python."""
    match error:
        case ConnectError():
            return _of_connection(url, error)
        case Unauthorized():
            return (
                "the cluster does not accept the credentials",
                "name the user, and type the password when it is asked for",
                f"{_DOCTOR} --url {url} --user NAME",
                f'Session("{url}", auth=("NAME", "PASSWORD"))',
            )
        case NotOpenSearch() | Redirected():
            return (
                "another program than OpenSearch responds at this URL",
                "give the URL of the cluster itself, with the port of its HTTP interface",
                f"{_DOCTOR} --url https://HOST:9200",
                'Session("https://HOST:9200")',
            )
        case Forbidden():
            return (
                "a gateway before the cluster refuses the credentials",
                "check the policy of the domain or collection, and which identity signs the requests",
                "aws sts get-caller-identity",
                "",
            )
        case _:
            command = f"{_DOCTOR} --url {url} -v"
            return "the cluster responds with an error", "it may pass: try again", command, "await ml.greet()"


def _of_connection(url: str, error: ConnectError) -> tuple[str, str, str, str]:
    words = error.message
    if isinstance(error, RequestTimeout):
        advice = "a firewall may drop the packets, or the cluster is too busy: try its URL from here"
        return "the cluster does not respond in time", advice, f"curl -v --max-time 10 {url}", ""
    if _is_of_certificate(error):
        return _of_certificate(url, words)
    if "the cluster refuses the certificate in client_cert" in words:
        advice = "give one by an authority that the cluster trusts, and that is not out of date"
        return "the cluster refuses the client certificate", advice, _LOOK, ""
    if "WRONG_VERSION_NUMBER" in words or "record layer failure" in words.lower():
        return _of_scheme(url, "https", "http", "the port speaks plain text, and the URL says TLS")
    if url.startswith("http:") and "without a response" in words:
        return _of_scheme(url, "http", "https", "the port most likely speaks TLS, and the URL says plain text")
    if "TLS" in words:
        advice = "TLS 1.2 is the oldest version, and a cluster may ask for a client certificate"
        return "TLS cannot be established", advice, f"curl -v {url}", f'Session("{url}", client_cert="client.pem")'
    advice = "start the cluster, or correct host and port"
    if "not known" in words or "Temporary failure in name resolution" in words or "nodename" in words:
        return "the host of the URL is not known", advice, f"{_DOCTOR} --url https://HOST:9200", ""
    return "nothing accepts a connection at this URL", advice, f"{_DOCTOR} --url https://HOST:9200", ""


def _is_of_certificate(error: ConnectError) -> bool:
    cause = getattr(error.__cause__, "certificate_error", error.__cause__)
    return isinstance(cause, SSLCertVerificationError)


def _of_certificate(url: str, words: str) -> tuple[str, str, str, str]:
    python = f'Session("{url}", ca_certs="ca.pem")'
    trust = f"{_DOCTOR} --url {url} --ca-certs ca.pem"
    if "expired" in words or "not yet valid" in words:
        return "the certificate of the cluster is out of date", "renew it on the nodes", trust, ""
    if "mismatch" in words or "another host" in words:
        advice = "use one of the names in the certificate, or have it issued for this one"
        return "the certificate of the cluster is for another host", advice, f"{_DOCTOR} --url https://NAME:9200", ""
    if "self-signed certificate in certificate chain" not in words and "self-signed" in words:
        advice = "name it as its own authority, if it is really that of your cluster"
        return "the certificate of the cluster is self-signed", advice, trust, python
    advice = "name the PEM file of the authority that issued it"
    return "the authority of the cluster's certificate is not trusted", advice, trust, python


def _of_scheme(url: str, wrong: str, right: str, what: str) -> tuple[str, str, str, str]:
    other = f"{right}{url.removeprefix(wrong)}"
    return what, f"begin the URL with {right}", f"{_DOCTOR} --url {other}", f'Session("{other}")'
