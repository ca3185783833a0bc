"""What the components for LlamaIndex share: their fields, and the calls of their model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.inference.methods import BATCH
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._models import ModelCalls, Options
from aiomlcommons.net.rules import no_such_option
from aiomlcommons.net.urls import base_of, check_url, credentials_in
from aiomlcommons.session import Session

with needs("llama-index-core", "llama-index"):
    from llama_index.core.bridge.pydantic import BaseModel, Field, PrivateAttr


class ModelComponent(BaseModel):
    """The part of a component that talks to a model, to be inherited from beside a base of LlamaIndex.

    What a component stores does not have ``session``, nor the credentials of ``url``, which are moved to it.
    """

    url: str | None = Field(default=None, description="The URL of the cluster, without credentials.")
    session: Any = Field(default=None, exclude=True, repr=False, description="Further options of Session.")
    _calls: ModelCalls = PrivateAttr()

    def __init__(
        self,
        *,
        asked: str,
        url: str | None,
        session: Session | Mapping[str, Any] | None,
        options: Mapping[str, Any],
        batch: int = BATCH,
        **fields: Any,
    ) -> None:
        for name in options:
            # Pydantic would leave out what it does not know.
            if name not in type(self).model_fields:
                raise TypeError(f"{type(self).__name__}: {no_such_option(name, type(self).model_fields)}")
        url, session = _given(url, session)
        super().__init__(url=url, session=session, **fields, **options)
        self._calls = self._calls_of(asked, batch)

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class, as LlamaIndex stores it and tells it in events."""
        return cls.__name__

    def _calls_of(self, model: str, batch: int = BATCH) -> ModelCalls:
        return ModelCalls(type(self).__name__, model, self.url, session=self.session, batch=batch)

    def close(self) -> None:
        """Close the session that this object opened; a later call opens a new one."""
        self._calls.close()

    async def aclose(self) -> None:
        """Do as ``close``, on an event loop, which goes on meanwhile."""
        await self._calls.close_async()

    def __getstate__(self) -> dict[Any, Any]:
        self._calls.__getstate__()  # refuses an open session, which LlamaIndex would leave out, and only log it
        return super().__getstate__()


def _given(
    url: str | None, session: Session | Mapping[str, Any] | None
) -> tuple[str | None, Session | Mapping[str, Any] | None]:
    """Move the credentials of a URL to the options of the session. Raises TypeError or ValueError for a bad URL."""
    options = Options(session) if isinstance(session, Mapping) else session
    if url is None or isinstance(session, Session):
        return url, options
    parsed = check_url(url)
    credentials = credentials_in([parsed])
    return (
        (url, options) if credentials is None else (base_of(parsed), Options({"auth": credentials, **(session or {})}))
    )
