"""docs/how-to/aws.md: a managed domain that wants signatures, and the variables of one who may sign."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons.emulator import AwsVerifier, Emulator
from tests.pages.worlds import Place


def emulator() -> Emulator:
    """Make a domain of OpenSearch Service in eu-west-1."""
    gateway = AwsVerifier("eu-west-1")
    gateway.allow("AKIAEXAMPLE", "secret")
    return Emulator(aws=gateway, flavor="managed")


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Set the variables; there is no file of credentials in the folder that is HOME."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_EC2_METADATA_DISABLED="true",
        OPENSEARCH_AWS_REGION="eu-west-1",
    )
    yield {}
