"""Cluster settings of ML Commons: read, change and restore."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Any
from urllib.parse import urlsplit

import anyio

from aiomlcommons.api.setting_names import FIRST_MODEL, PREFIX, MLSettings, versions_of
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.errors import InvalidRequest, NotSupported
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import NULL, Record, in_query, record
from aiomlcommons.usage import context
from aiomlcommons.wire import features

__all__ = [
    "FIRST_MODEL",
    "PREFIX",
    "ClusterSettings",
    "GetClusterSettings",
    "MLSettings",
    "PutClusterSettings",
    "Settings",
]

SOURCES = {PREFIX + "allow_registering_model_via_url", PREFIX + "allow_registering_model_via_local_file"}
"""The settings that managed domains of Amazon refuse."""


@record
class ClusterSettings(Record):
    """Settings of the cluster, nested or flat as requested; values are text or lists of text."""

    acknowledged: bool | None = None
    persistent: Mapping[str, Any] | None = None
    transient: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None


@endpoint("GET /_cluster/settings", since="1.0")
class GetClusterSettings(Request[ClusterSettings]):
    """Get the cluster's settings.

    https://docs.opensearch.org/latest/api-reference/cluster-api/cluster-settings/
    """

    _: KW_ONLY
    include_defaults: bool | None = in_query(default=None)
    flat_settings: bool | None = in_query(default=None)


@endpoint("PUT /_cluster/settings", since="1.0", needs_body=True)
class PutClusterSettings(Request[ClusterSettings]):
    """Change settings of the cluster: ``persistent`` ones survive a restart, ``transient`` ones do not.

    https://docs.opensearch.org/latest/api-reference/cluster-api/cluster-settings/
    """

    _: KW_ONLY
    persistent: Mapping[str, Any] | None = None
    transient: Mapping[str, Any] | None = None
    flat_settings: bool | None = in_query(default=None)

    def features(self) -> Iterator[tuple[str, str]]:
        for changes in (self.persistent or {}, self.transient or {}):
            for key, value in changes.items():
                if key in SOURCES:
                    yield features.Feature.MODEL_SOURCE_SETTINGS, key
                elif isinstance(value, Mapping):
                    yield features.Feature.NESTED_SETTINGS, key


class Settings(Namespace):
    """``ml.settings``: the cluster settings of ML Commons."""

    get = op(GetClusterSettings)
    put = op(PutClusterSettings)

    async def read(self, *, defaults: bool = True) -> MLSettings:
        """Return the effective settings: transient over persistent ones, over the defaults if ``defaults``."""
        got = await self.get(include_defaults=defaults, flat_settings=True)
        return MLSettings.from_wire({**(got.defaults or {}), **(got.persistent or {}), **(got.transient or {})})

    async def apply(self, settings: MLSettings, *, transient: bool = False, skip_missing: bool = False) -> MLSettings:
        """Change settings, and return their previous values; ``apply`` these to restore them.

        Raises NotSupported for a setting that the server does not have, naming the version that does, unless
        ``skip_missing`` omits it; BadRequest for an invalid value, Forbidden without the permission.
        """
        if not settings.to_dict():
            return MLSettings()  # the server rejects an empty change
        got = await self.get(flat_settings=True, include_defaults=True)
        wanted = settings.without(_missing(settings, got, skip=skip_missing)).to_dict()
        if not wanted:
            return MLSettings()
        had = (got.transient if transient else got.persistent) or {}
        await (self.put(transient=wanted) if transient else self.put(persistent=wanted))
        return MLSettings.from_wire({key: had.get(key, NULL) for key in wanted})

    @context("ml.settings.temporarily(...)", "`async with ml.settings.temporarily(...):`")
    async def temporarily(
        self, settings: MLSettings, *, transient: bool = False, skip_missing: bool = False
    ) -> AsyncGenerator[None]:
        """Change settings while the context is open, and restore them however it ends. Raises as ``apply`` does."""
        before = await self.apply(settings, transient=transient, skip_missing=skip_missing)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self.apply(before, transient=transient)

    async def trust(self, url: str, *, transient: bool = False) -> MLSettings:
        """Let connectors call the host of a URL, beside those that the cluster trusts; return the previous value.

        A cluster trusts the hosts of some providers by itself, such as OpenAI, Cohere and Amazon. A private address is
        refused all the same, unless ``MLSettings(connector_private_ip_enabled=True)`` is applied as well. Raises
        InvalidRequest for what is no URL of a host.
        """
        given = urlsplit(url)
        if given.scheme not in {"https", "http"} or not given.hostname:
            raise InvalidRequest(f"url must begin with https:// or http:// and a host, not {url!r}")
        wanted = f"^{given.scheme}://{re.escape(given.netloc.rpartition('@')[2])}/.*$"
        trusted = (await self.read()).trusted_connector_endpoints_regex
        known = trusted if isinstance(trusted, list) else []
        patterns = known if wanted in known else [*known, wanted]
        return await self.apply(MLSettings(trusted_connector_endpoints_regex=patterns), transient=transient)

    async def ml_on_all_nodes(self, allowed: bool = True, *, transient: bool = False) -> MLSettings:
        """Let models run on every node, for clusters without ML nodes; return the previous values."""
        return await self.apply(MLSettings(only_run_on_ml_node=not allowed), transient=transient)

    async def allow_first_model(self, *, transient: bool = False) -> MLSettings:
        """Apply the settings that a local model needs on a cluster without ML nodes; return the previous values.

        Any node may run models, models may be registered by URL and by upload, and memory may be used up to 99 %; an
        old server that lacks one of these settings allows it anyway. Restore with ``await ml.settings.apply(before)``.
        Raises NotSupported on a managed domain of Amazon, which refuses the settings for URLs and uploads.
        """
        return await self.apply(FIRST_MODEL, transient=transient, skip_missing=True)


def _missing(settings: MLSettings, got: ClusterSettings, *, skip: bool) -> list[str]:
    """Return the keys that the server does not have and that can be omitted. Raises NotSupported for others.

    A setting that the server lacks is at its default, so resetting it to the default can be omitted.
    """
    defaults = got.defaults or {}
    if not any(key.startswith(PREFIX) for key in defaults):
        return []  # some managed services hide the defaults, so it is unknown which settings exist
    known = {*defaults, *(got.persistent or {}), *(got.transient or {})}
    missing = {key: value for key, value in settings.to_dict().items() if key not in known}
    needed = [] if skip else [key for key, value in missing.items() if value is not None]
    if needed:
        words = ", ".join(f"{key} needs OpenSearch {versions_of(key)}" for key in needed)
        raise NotSupported(f"{words}; this server does not have it")
    return list(missing)
