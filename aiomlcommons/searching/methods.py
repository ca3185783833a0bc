"""``ml.search`` and ``ml.search_text``: the mixin of a session that searches indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from aiomlcommons.client import HasClient
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.typed import typed

if TYPE_CHECKING:
    from aiomlcommons.searching.index_search import IndexSearch
    from aiomlcommons.searching.text_search import TextSearch

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]
"""A document as it is, unless ``into`` says otherwise."""
SourceFilter: TypeAlias = bool | str | Sequence[str] | Mapping[str, Any]
"""Which fields of documents come back: none (False), those named, or ``{"includes": [...], "excludes": [...]}``."""


class Searches(HasClient):
    """Searches of the user's own indices."""

    @overload
    def search(
        self,
        index: str,
        query: Mapping[str, Any] | None = None,
        *,
        size: int | None = None,
        from_: int | None = None,
        sort: Any = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        preference: str | None = None,
        routing: str | None = None,
        into: None = None,
        **body: Any,
    ) -> IndexSearch[Document]: ...
    @overload
    def search(
        self,
        index: str,
        query: Mapping[str, Any] | None = None,
        *,
        size: int | None = None,
        from_: int | None = None,
        sort: Any = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        preference: str | None = None,
        routing: str | None = None,
        into: Callable[..., T],
        **body: Any,
    ) -> IndexSearch[T]: ...
    @typed(own="query size from_ sort search_pipeline preference routing into")
    def search(
        self,
        index: str,
        query: Mapping[str, Any] | None = None,
        *,
        size: int | None = None,
        from_: int | None = None,
        sort: Any = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        preference: str | None = None,
        routing: str | None = None,
        into: Callable[..., Any] | None = None,
        **body: Any,
    ) -> IndexSearch[Any]:
        """Search an index: ``hits = await ml.search("docs", neural("embedding", "a text", model_id=...), into=Doc)``.

        Awaited it is one page of hits; ``async for hit in ml.search(...)`` is every hit, page after page. Queries are
        dicts; ``aiomlcommons.queries`` has functions for those of vectors.

        Args:
            index: The index, an alias, a pattern, or several with commas between them.
            query: The query. Default: all documents.
            size: Hits in a page. Default: 10, or 100 where every hit is asked for.
            from_: Hits to skip.
            sort: What to sort by, as the API takes it. Default: the score.
            source: Which fields of the documents come back. Default: all, vectors included.
            search_pipeline: The name of a search pipeline, or one as a dict. Default: that of the index.
            preference: Which copies of shards are asked; the same word gives the same ones.
            routing: Which shards are asked, by the routing of the documents.
            into: The class of the documents: a data class, an attrs class, a NamedTuple, a TypedDict, a class of
                pydantic; or a function of the dict. A class takes the fields that it names. Default: dicts.
            body: Further keys of the body: ``aggs``, ``highlight``, ``min_score``, ``track_total_hits``, ...

        Raises:
            InvalidRequest: The query is none, or an option is not what it takes.
            NotSearchable: The cluster has not the plugin of a query, or nothing combines the scores of a hybrid query.
            NotFound: There is no such index.
            WrongDocument: A document is not of the class ``into``.
        """
        from aiomlcommons.searching.documents import check_into
        from aiomlcommons.searching.index_search import IndexSearch
        from aiomlcommons.searching.request import search_request

        check_into(into)
        request = search_request(
            index,
            query,
            size=size,
            from_=from_,
            sort=sort,
            source=source,
            search_pipeline=search_pipeline,
            preference=preference,
            routing=routing,
            body=body,
        )
        return IndexSearch(self._session, request, into)

    @overload
    def search_text(
        self,
        index: str,
        text: str,
        model: str | None = None,
        *,
        field: str | None = None,
        text_field: str | None = None,
        hybrid: bool | None = None,
        k: int | None = None,
        size: int = 10,
        filter: Mapping[str, Any] | None = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        into: None = None,
        **body: Any,
    ) -> TextSearch[Document]: ...
    @overload
    def search_text(
        self,
        index: str,
        text: str,
        model: str | None = None,
        *,
        field: str | None = None,
        text_field: str | None = None,
        hybrid: bool | None = None,
        k: int | None = None,
        size: int = 10,
        filter: Mapping[str, Any] | None = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        into: Callable[..., T],
        **body: Any,
    ) -> TextSearch[T]: ...
    @typed(own="text k filter into")
    def search_text(
        self,
        index: str,
        text: str,
        model: str | None = None,
        *,
        field: str | None = None,
        text_field: str | None = None,
        hybrid: bool | None = None,
        k: int | None = None,
        size: int = 10,
        filter: Mapping[str, Any] | None = None,
        source: SourceFilter | None = None,
        search_pipeline: str | Mapping[str, Any] | None = None,
        into: Callable[..., Any] | None = None,
        **body: Any,
    ) -> TextSearch[Any]:
        """Search an index for a text, by the query that fits its mapping: ``await ml.search_text("docs", "a text")``.

        It looks at the mapping, the pipelines of the index and the plugins of the cluster first, and chooses: dense
        vectors are searched by ``neural``, or without neural-search by ``knn`` with a vector that ``ml.embed_one``
        makes; weights of tokens by ``neural_sparse``, or without neural-search by ``rank_feature``; with a field of
        texts beside them a ``hybrid`` query searches both. ``hits.sent`` is what was sent and why, and
        ``await ml.search_text(...).plan()`` only that. It is for the first try: a program that searches often sends
        the plan's query by ``ml.search``, which is one request.

        Args:
            index: The index, or an alias.
            text: What to search for.
            model: The id or the name of the model that made the vectors. Default: the one that the mapping of a
                semantic field, or a pipeline of the index, names.
            field: The field of vectors. Default: the only one, or the only one that fits the model.
            text_field: The field of texts whose words are searched as well. Default: that which the vectors are of, if
                a pipeline of the index tells, or the only one.
            hybrid: Whether words are searched as well. Default: where a field of texts is known.
            k: The nearest vectors of each shard to find. Default: 100, or ``size`` if that is more.
            size: Hits in a page. Default: 10.
            filter: A query that documents must match.
            source: Which fields of the documents come back. Default: all but those of vectors.
            search_pipeline: The name of a search pipeline, or one as a dict. Default: that of the index; for a hybrid
                query without one, a normalization-processor with ``min_max`` and ``arithmetic_mean``.
            into: The class of the documents, as for ``ml.search``.
            body: Further keys of the body, as for ``ml.search``.

        Raises:
            InvalidRequest: The text is none, or an option is not what it takes.
            NotSearchable: The index is missing or has no field of vectors, no or another model is known for it, or
                the cluster lacks a plugin; the message has the remedy. Nothing was searched.
            NoSuchModel: There is no model of this id or name.
            WrongDocument: A document is not of the class ``into``.
        """
        from aiomlcommons.queries import checked_query
        from aiomlcommons.searching.documents import check_into
        from aiomlcommons.searching.request import check_count, check_text_body
        from aiomlcommons.searching.text_search import TextSearch
        from aiomlcommons.searching.wanted import Wanted

        check_into(into)
        check_count("size", size)
        check_count("k", k, least=1)
        check_text_body(body)
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequest(f"text must be a text with a word in it, not {text!r:.60}")
        wanted = Wanted(
            index=index,
            text=text,
            model=model,
            field=field,
            text_field=text_field,
            hybrid=hybrid,
            k=k,
            size=size,
            filter=None if filter is None else checked_query("filter", filter),
            source=source,
            search_pipeline=search_pipeline,
            body=body,
        )
        return TextSearch(self._session, wanted, into)
