"""What the components for Haystack share: their session, how they are stored, and the texts of documents."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from aiomlcommons.inference.methods import BATCH, CONCURRENCY
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._models import Call, ModelCalls, ensured
from aiomlcommons.integrations._stored import given, restored, session_options, stored
from aiomlcommons.net.auth import Auth
from aiomlcommons.net.rules import AMOUNT
from aiomlcommons.session import Session

with needs("haystack-ai", "haystack"):
    from haystack import Document, default_from_dict, default_to_dict
    from haystack.utils import Secret

Credentials: TypeAlias = "Secret | tuple[str | Secret, Secret] | Auth"
Options: TypeAlias = "Session | Mapping[str, Any]"
T = TypeVar("T")
Self = TypeVar("Self", bound="ModelComponent")


class ModelComponent:
    """The base of the components. Nothing is opened, and no secret is read, before ``warm_up`` or the first run."""

    def __init__(
        self,
        model: str,
        url: str | None,
        auth: Credentials | None,
        session: Options | None,
        batch_size: int = BATCH,
        concurrency: int = CONCURRENCY,
    ) -> None:
        if not isinstance(model, str):
            raise TypeError(f"model must be an id or a name, not {type(model).__name__}")
        AMOUNT.check("batch_size", batch_size)
        AMOUNT.check("concurrency", concurrency)
        if not isinstance(session, Session | Mapping | None):
            raise TypeError(f"session must be options of Session, or an open one, not a {type(session).__name__}")
        if isinstance(session, Session) and auth is not None:
            raise ValueError("auth is that of the open session that is given: leave it out")
        self.model, self.url, self.auth = model, url, auth
        self.session: Options | None = session
        if not isinstance(session, Session):
            self.auth, self.session, self.url = given(auth, session, url)
        self.batch_size, self.concurrency = batch_size, concurrency

    def warm_up(self) -> None:
        """Open the session and ensure the model, unless that is done."""
        self._calls.run(ensured)

    async def warm_up_async(self) -> None:
        """Do as ``warm_up``, on an event loop, which goes on meanwhile."""
        await self._calls.run_async(ensured)

    def close(self) -> None:
        """Close the session that this component opened; a later run opens a new one."""
        if (calls := self.__dict__.pop("_made", None)) is not None:
            calls.close()

    async def close_async(self) -> None:
        """Do as ``close``, on an event loop, which goes on meanwhile."""
        if (calls := self.__dict__.pop("_made", None)) is not None:
            await calls.close_async()

    def to_dict(self) -> dict[str, Any]:
        """Return what the component was made with, to be stored.

        A ``Secret`` is stored as the name of its environment variable. Raises ValueError for a credential
        that was given as it is, TypeError for what has no stored form, such as an open session.
        """
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return default_to_dict(self, **{name: stored(name, getattr(self, name)) for name in names})

    @classmethod
    def from_dict(cls: type[Self], data: dict[str, Any]) -> Self:
        """Return the component that was stored. Secrets are read at its first run."""
        options = data.get("init_parameters", {})
        return default_from_dict(cls, {**data, "init_parameters": {name: restored(options[name]) for name in options}})

    @property
    def _calls(self) -> ModelCalls:
        made: ModelCalls | None = self.__dict__.get("_made")
        # Of two threads that come at once, one makes the calls for both.
        return made or self.__dict__.setdefault("_made", self._new_calls())

    def _new_calls(self) -> ModelCalls:
        session = self.session if isinstance(self.session, Session) else session_options(self.auth, self.session)
        return ModelCalls(
            type(self).__name__,
            self.model,
            self.url,
            session=session,
            batch=self.batch_size,
            concurrency=self.concurrency,
        )

    def __getstate__(self) -> dict[str, Any]:
        if isinstance(self.session, Session):
            raise TypeError(f"{type(self).__name__} with an open session cannot be copied: give url= in its place")
        return {name: value for name, value in vars(self).items() if name != "_made"}


class TextComponent(ModelComponent):
    """The base of the embedders of a text."""

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        prefix: str = "",
        suffix: str = "",
        auth: Credentials | None = None,
        session: Options | None = None,
    ) -> None:
        ModelComponent.__init__(self, model, url, auth, session)
        self.prefix, self.suffix = prefix, suffix

    def _text(self, text: Any) -> str:
        """Return the text to embed. Raises TypeError for anything but a string."""
        if not isinstance(text, str):
            name = type(self).__name__
            raise TypeError(
                f"{name} expects a string as an input. In case you want to embed a list of Documents, please use the "
                f"{name.replace('Text', 'Document')}."
            )
        return self.prefix + text + self.suffix


class DocumentComponent(ModelComponent):
    """The base of the embedders of documents."""

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        prefix: str = "",
        suffix: str = "",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        batch_size: int = BATCH,
        concurrency: int = CONCURRENCY,
        auth: Credentials | None = None,
        session: Options | None = None,
    ) -> None:
        ModelComponent.__init__(self, model, url, auth, session, batch_size, concurrency)
        self.prefix, self.suffix = prefix, suffix
        self.meta_fields_to_embed, self.embedding_separator = meta_fields_to_embed or [], embedding_separator

    def _embed(self, how: Callable[[list[str]], Call[list[T]]], documents: list[Document]) -> list[T]:
        """Return the embedding of each document; of none, without a call."""
        texts = self._texts(documents)
        return self._calls.run(how(texts)) if texts else []

    async def _embed_async(self, how: Callable[[list[str]], Call[list[T]]], documents: list[Document]) -> list[T]:
        texts = self._texts(documents)
        return await self._calls.run_async(how(texts)) if texts else []

    def _texts(self, documents: list[Document]) -> list[str]:
        """Return the texts to embed. Raises TypeError for anything but a list of documents."""
        name = type(self).__name__
        other = f" In case you want to embed a string, please use the {name.replace('Document', 'Text')}."
        check_documents(name, documents, other)
        texts = texts_of(documents, self.meta_fields_to_embed, self.embedding_separator)
        return [self.prefix + text + self.suffix for text in texts]


def check_documents(component: str, documents: list[Document], hint: str = "") -> None:
    """Raise TypeError for anything but a list of documents, in the words of Haystack's own components."""
    if not isinstance(documents, list) or not all(isinstance(document, Document) for document in documents):
        raise TypeError(f"{component} expects a list of Documents as input.{hint}")


def texts_of(documents: Sequence[Document], meta_fields: Sequence[str], separator: str) -> list[str]:
    """Return the text of each document: its content behind those of the meta fields that it has, but for None."""
    found = []
    for document in documents:
        values = [document.meta.get(name) for name in meta_fields]
        found.append(separator.join([*(str(value) for value in values if value is not None), document.content or ""]))
    return found
