"""Known defects of servers are recognised, and nothing else is."""

from __future__ import annotations

import pytest

from aiomlcommons.errors import BadRequest
from aiomlcommons.http import JSON, HttpRequest, HttpResponse
from aiomlcommons.statuses import error_for
from tests.support.copies import copies
from tests.wire.recordings import exchanges

RECORDED = {exchange.case: exchange.response for exchange in exchanges()}
UNTRUSTED = (
    "Trusted connector endpoints regex is not configured. "
    "Please set plugins.ml_commons.trusted_connector_endpoints_regex."
)
SAYS_SO = "this is a defect of the server, and setting it does not help"


def refused(method: str, path: str, reason: str) -> HttpResponse:
    request = HttpRequest(method, f"/_plugins/_ml{path}")
    return HttpResponse(
        400,
        b'{"error":{"type":"illegal_argument_exception","reason":"%s"},"status":400}' % reason.encode(),
        {"content-type": JSON},
        request,
    )


@pytest.mark.parametrize(
    "response",
    [
        RECORDED["secure34.batch_follow"],
        RECORDED["secure34.batch_cancel"],
        refused("GET", "/tasks/t", UNTRUSTED),
        refused("POST", "/tasks/t/_cancel", UNTRUSTED),
        refused("POST", "/tasks/t/_cancel_batch", UNTRUSTED),
    ],
)
def test_a_job_of_a_provider_that_cannot_be_asked_for_is_the_servers_defect(response: HttpResponse) -> None:
    error = error_for(response)
    assert type(error) is BadRequest
    assert SAYS_SO in str(error)
    assert "remote_job" in str(error)
    assert all(str(twin) == str(error) for twin in copies(error))


@pytest.mark.parametrize(
    "response",
    [
        refused("POST", "/models/m/_predict", UNTRUSTED),
        refused("POST", "/connectors/_create", UNTRUSTED),
        refused("POST", "/tasks/_search", UNTRUSTED),
        refused("GET", "/tasks/t/other", UNTRUSTED),
        refused("GET", "/tasks/t", "Fail to find task"),
        refused("POST", "/models/m/_batch_predict", "Remote inference host name has private ip address: 10.0.0.1"),
    ],
)
def test_elsewhere_the_same_words_mean_what_they_say(response: HttpResponse) -> None:
    assert SAYS_SO not in str(error_for(response))
