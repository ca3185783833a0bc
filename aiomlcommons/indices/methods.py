"""``ml.indices``: the endpoints of indices, and ``create_for``, which makes one that fits a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.indices import Indices
from aiomlcommons.indices.for_model import ModelIndex, fields_for, made, vectors_of
from aiomlcommons.indices.vector_field import Method, VectorField
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.typed import typed

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class IndexLife(Indices):
    """``ml.indices``: create indices, also such that fit a model, look at them, change and delete them."""

    _session: Client

    @typed(own="model engine method space_type")
    async def create_for(
        self,
        model: Spec | str,
        index: str,
        *,
        field: str = "embedding",
        text_field: str | None = "text",
        id_field: str | None = None,
        analyzer: str | None = None,
        semantic: bool = False,
        engine: str | None = None,
        method: Method | None = None,
        space_type: str | None = None,
        dimension: int | None = None,
        sparse: bool | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> ModelIndex:
        """Create an index whose mapping fits a model, or compare the one that exists. Idempotent.

        A dense model gets a ``knn_vector`` of its dimension, a sparse one ``rank_features``, or with
        ``method="seismic"`` a ``sparse_vector``. How dense vectors are compared is what the model's configuration says
        (``additional_config.space_type``); else ``innerproduct`` if the server makes them of length 1
        (``normalize_result``), which ranks these as the cosine does, or if the model's name says that it is for dot
        products; else ``cosinesimil``.

        Args:
            model: The model, as ``ml.models.ensure`` takes it. It is registered if need be, but not deployed.
            index: The name of the index, or an alias of it.
            field: The field of the vectors.
            text_field: The field of the text, of type ``text``; None leaves it to the first document.
            id_field: A field of ids, of type ``keyword``. Default: none, for documents have their ``_id``.
            analyzer: The analyzer of the text. Default: the server's.
            semantic: Make the text field one of type ``semantic``, which the server embeds by itself; there is no other
                field of vectors then.
            engine: The engine of dense vectors, like ``"lucene"``. Default: the server's own.
            method: The method: a name, or a mapping with ``name`` and ``parameters``. Default: HNSW.
            space_type: How dense vectors are compared, like ``"l2"``. Default: as above.
            dimension: The length of the vectors. Default: what the model's configuration says; a remote model that
                does not tell embeds one word.
            sparse: Whether the vectors are sparse. Default: what the model's record says.
            body: Further settings, mappings and aliases of the index. What it says counts before all of this.

        Raises:
            IndexMismatch: The index exists and is otherwise; the error names each difference. What is not named here
                is not compared, but a space in which the model's vectors rank otherwise is a warning.
            InvalidRequest: The options contradict each other or the model.
            NotSupported: The cluster lacks k-NN or neural-search; the error names the plugin.
            NoSuchModel, BlockedBySetting, NotRegistered: As ``ml.models.ensure`` raises them, with others.
            ApiError: The cluster refuses the index.

        https://docs.opensearch.org/latest/mappings/supported-field-types/knn-vector/
        """
        asked: dict[str, Any] = {"engine": engine, "method": method, "space_type": space_type}
        VectorField(**asked)  # refuses a misspelt name before a model is registered
        found = await ensure(self._session, model, deploy=False)
        vectors = await vectors_of(self._session, found, dimension=dimension, sparse=sparse, asked=asked)
        fields = fields_for(
            found,
            vectors,
            field=field,
            text_field=text_field,
            id_field=id_field,
            analyzer=analyzer,
            semantic=semantic,
        )
        return await made(self._session, index, fields, body or {})
