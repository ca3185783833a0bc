"""docs/how-to/authentication.md: a cluster with TLS and a password, and one that asks for a client's certificate."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from tests.pages.worlds import Place
from tests.support.authority import Authority

USER, PASSWORD = "service", "a soft answer"


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Serve both beside the open one, and write the files that the page names."""
    authority = Authority(place.folder)
    authority.client()
    (place.folder / "password.txt").write_text(f"{PASSWORD}\n")
    one = place.emulator.serve(username=USER, password=PASSWORD, ssl_context=authority.server())
    other = place.emulator.serve(username=USER, password=PASSWORD, ssl_context=authority.server(client=True))
    async with one as url, other as strict:
        os.environ.update(OPENSEARCH_URL=url, CERTIFICATES_URL=strict, OPENSEARCH_CA_CERTS="ca.pem")
        os.environ.update(OPENSEARCH_USERNAME=USER, OPENSEARCH_PASSWORD=PASSWORD)
        yield {}
