"""What the gateways of AWS answer, as users reported it: status and body by the sign of the trouble table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GATEWAYS: Mapping[str, tuple[int, Any]] = {
    "Request throttled due to too many requests": (403, "403 Request throttled due to too many requests /_bulk"),
    "maximum OCU capacity reached": (
        402,
        {"error": {"type": "service_quota_exceeded_exception", "reason": "maximum OCU capacity reached"}},
    ),
    "Rate exceeded": (400, {"message": "Rate exceeded"}),
    "The security token included in the request is": (
        403,
        {"message": "The security token included in the request is expired"},
    ),
    "The request signature we calculated does not match": (
        403,
        {
            "message": "The request signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details."
        },
    ),
    "Signature expired: ": (
        403,
        {
            "message": "Signature expired: 20240522T115159Z is now earlier than 20240522T120519Z "
            "(20240522T121019Z - 5 min.)"
        },
    ),
    "Signature not yet current: ": (
        403,
        {
            "message": "Signature not yet current: 20230804T000000Z is still later than 20230803T172233Z "
            "(20230803T171733Z + 5 min.)"
        },
    ),
    "Credential should be scoped to ": (
        403,
        {"message": "Credential should be scoped to a valid region, not 'custom'. "},
    ),
    "User: anonymous is not authorized to perform: ": (
        403,
        {"Message": "User: anonymous is not authorized to perform: es:ESHttpGet"},
    ),
    "Missing Authentication Token": (403, {"message": "Missing Authentication Token"}),
    "Authorization header requires ": (
        403,
        {
            "message": "Authorization header requires 'Credential' parameter. Authorization header requires "
            "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header "
            "requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=Basic Og=="
        },
    ),
    "(missing equal-sign) in Authorization header": (
        403,
        {
            "message": "'YWRtaW46YWRtaW4x' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'Basic YWRtaW46YWRtaW4x'."
        },
    ),
}
