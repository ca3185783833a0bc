"""Hints for what the gateways of Amazon OpenSearch Service and Serverless say, where a request does not come through.

Their words, as users reported them:
https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html (signatures),
https://github.com/fluent/fluent-plugin-opensearch/issues/24 (expired), cakephp/elastic-search #261 (invalid),
panpan-wu in vectordotdev/vector #2403 (region), elasticsearch-dump #661 (service), DavidMuller/aws-requests-auth #31
(signature), aws/serverless-application-model #3704 (anonymous), elastic/elasticsearch #39065 and sivasamyk/logtrail
#323 (another scheme), logstash-output-elasticsearch #785 (size), opensearch-project/security #4595 (roles);
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-troubleshooting.html (Serverless).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from aiomlcommons.deferred import email_utils
from aiomlcommons.http import HttpResponse

_NEW = "AwsAuth takes the new ones by itself, unless they were put into its session"
_UNSIGNED = (
    "the domain wants requests signed by AWS: give auth={auth}, or the name and password of a user of the domain's own "
    "(fine-grained access control with an internal user database)"
)
# A sign may have a group for what the hint repeats; ``auth`` is the credentials for this URL.
_HINTS = {
    "security token included in the request is expired": f"renew the AWS credentials, as by `aws sso login`; {_NEW}",
    "security token included in the request is invalid": (
        "AWS does not know these credentials: the access key is wrong or was deleted, or temporary credentials lack "
        f"their session token (AWS_SESSION_TOKEN); {_NEW}"
    ),
    "The request signature we calculated does not match": (
        "the secret access key is wrong, or a proxy changes the path, the query, the host or the body of requests"
    ),
    "Credential should be scoped to (?:a valid region|correct service)": (
        "sign for the domain's own region and service: {auth}"
    ),
    r"User: anonymous is not authorized|Missing Authentication Token|in Authorization header|"
    "Authorization header requires": _UNSIGNED,
    r"User: arn:\S+ is not authorized to perform: (\w+:\w+)": (
        "allow {0} on the domain (its ARN and /*) to this principal, in the IAM policy or the access policy of the "
        "domain"
    ),
    r"no permissions for \[\S+\] and User \[name=(arn:[^,\]]+)": (
        "map {0} as a backend role to a role of the domain's fine-grained access control that allows this, such as "
        "ml_full_access (PUT _plugins/_security/api/rolesmapping/ml_full_access)"
    ),
    r"Request size exceeded \d+ bytes": (
        "that is the limit of this instance type (10 or 100 MiB): send fewer or shorter documents at once, or take "
        "larger instances"
    ),
}
# collection.region.aoss.amazonaws.com, collection.aoss.region.on.aws; domain.region.es.amazonaws.com,
# domain.aos.region.on.aws; and their FIPS variants.
_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".on.amazonwebservices.com.cn")
_SERVICES = {"aoss": "aoss", "aoss-fips": "aoss", "es": "es", "es-fips": "es", "aos": "es", "aos-fips": "es"}
_ENDPOINT = re.compile(r"\.([a-z0-9-]+)\.(es|aoss)\.amazonaws\.com|\.(aos|aoss)\.([a-z0-9-]+)\.on\.aws")
_SKEWED = re.compile(r"Signature (?:expired|not yet current): (\d{8}T\d{6}Z) is .*\((\d{8}T\d{6}Z) [-+]")
# AWS refuses signatures that are more than five minutes old.
_TOLERATED = timedelta(minutes=4)
_SERVERLESS = (
    "; Serverless says no more than this. The signature must be for 'aoss' (AwsAuth(region, 'aoss')), an IAM policy "
    "must allow aoss:APIAccessAll to this principal, and a data access policy of the collection the action itself: "
    "aoss:ExecuteMLResource and the like on model/COLLECTION/*, aoss:WriteDocument and the like on index/COLLECTION/*"
)
_NETWORK = "; the network policy of the collection does not allow requests from here: public access, or this VPC"


def aws_hint(response: HttpResponse, words: str) -> str:
    """Return a hint for an error of AWS's gateways, whose words these are; empty for any other."""
    if is_serverless(response) and response.status in {401, 403}:
        is_network = "network-policy" in response.headers.get("x-aoss-response-hint", "")
        return _NETWORK if is_network else _SERVERLESS + _clock(_skew_by_header(response), tolerated=_TOLERATED)
    if found := _SKEWED.search(words):
        ours, theirs = (datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for time in found.groups())
        return _clock(theirs - ours)
    auth = _auth_for(response.request.base)
    matches = ((re.search(sign, words), hint) for sign, hint in _HINTS.items())
    return next((f"; {hint.format(*match.groups(), auth=auth)}" for match, hint in matches if match), "")


def is_serverless(response: HttpResponse) -> bool:
    """Return whether Amazon OpenSearch Serverless has answered."""
    names = response.headers.keys()
    return response.headers.get("server", "").startswith("aoss") or any(name.startswith("x-aoss-") for name in names)


def service_of(host: str) -> str | None:
    """Return the service of Amazon that a host belongs to, as signatures name it: es or aoss; None for any other."""
    name = host.lower().rstrip(".")
    # The first label is the name of a domain or a collection, which may be any.
    labels = name.split(".")[1:] if name.endswith(_DOMAINS) else []
    return next((_SERVICES[label] for label in labels if label in _SERVICES), None)


def _auth_for(base: str) -> str:
    """Return the credentials that fit a URL of AWS, as an option and as variables; the general form for other hosts."""
    found = _ENDPOINT.search(base)
    if found is None:
        return (
            "AwsAuth(region, service), where service is 'es' for a domain and 'aoss' for a Serverless collection "
            "(OPENSEARCH_AWS_REGION, OPENSEARCH_AWS_SERVICE)"
        )
    region, service = found[1] or found[4], "aoss" if "aoss" in {found[2], found[3]} else "es"
    return f"AwsAuth({region!r}, {service!r}) (OPENSEARCH_AWS_REGION={region} OPENSEARCH_AWS_SERVICE={service})"


def _skew_by_header(response: HttpResponse) -> timedelta:
    """Return by how much this machine's clock is behind the server's, by the ``date`` of a response that came now."""
    try:
        theirs = email_utils.parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return timedelta()
    return theirs.replace(tzinfo=theirs.tzinfo or UTC) - datetime.now(UTC)


def _clock(behind: timedelta, *, tolerated: timedelta = timedelta()) -> str:
    if abs(behind) <= tolerated:
        return ""
    seconds = round(abs(behind).total_seconds())
    how = "behind" if behind > timedelta() else "ahead of"
    return f"; the clock of this machine is {seconds} s {how} that of AWS, which tolerates 300: set it (NTP)"
