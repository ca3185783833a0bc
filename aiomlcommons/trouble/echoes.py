"""Credentials that a gateway repeats in its error, to be masked before the error is kept, shown or pickled.

AWS does so: with the canonical request of a wrong signature, which holds the session token
(https://github.com/DavidMuller/aws-requests-auth/issues/31), and with a password for which it expects a signature
(https://github.com/sivasamyk/logtrail/issues/323, https://github.com/elastic/elasticsearch/issues/39065).
"""

from __future__ import annotations

import re

import attrs

from aiomlcommons.http import HttpResponse

_MASK = rb"\1***"
_ECHOES = tuple(
    map(
        re.compile,
        (
            rb"(x-amz-security-token:)[^\s\\\"';]+(?:\\/[^\s\\\"';]+)*",
            rb"(Authorization(?: header: '|=)\w+ )[^'\"\s]+",
            rb"(')[^'\"\s]+(?=' not a valid key=value pair)",
        ),
    )
)


def without_echo(response: HttpResponse) -> HttpResponse:
    """Return an error response whose body does not repeat credentials of the request."""
    body = response.body
    for echo in _ECHOES:
        body = echo.sub(_MASK, body)
    return response if body == response.body else attrs.evolve(response, body=body)
