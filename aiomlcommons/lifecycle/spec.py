"""Specs: declarative descriptions of a model for ``ml.models.ensure``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs
import orjson

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Guardrails, Model, ModelFormat
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle import catalogue
from aiomlcommons.lifecycle.file_model import FileModel
from aiomlcommons.lifecycle.spec_fields import Common, GroupSpec, check_name, lower
from aiomlcommons.typed import typed_fields
from aiomlcommons.wire import convert

__all__ = ["ExistingModel", "FileModel", "GroupSpec", "PretrainedModel", "RemoteModel", "Spec", "UrlModel"]


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class PretrainedModel(Common):
    """A model of the pretrained catalogue, by full or short name, or its id on Hugging Face, in any case.

    ``version`` and ``model_format`` default to the newest and to TORCH_SCRIPT. ``dimension`` is the expected one.
    Raises InvalidRequest if it is another, and for a name, version or format that the catalogue lacks.

    https://docs.opensearch.org/latest/ml-commons-plugin/pretrained-models/
    """

    name: str
    version: str | None = None
    model_format: ModelFormat | str | None = None
    dimension: int | None = None

    def __attrs_post_init__(self) -> None:
        known = self.known
        version, model_format = self.register_version, self.register_format
        if not known.offers(version, model_format):
            offered = ", ".join(f"{v} ({'/'.join(formats)})" for v, formats in known.versions.items())
            raise InvalidRequest(f"{known.name} has no version {version} in {model_format}; available: {offered}")
        if self.dimension not in {None, known.dimension}:
            raise InvalidRequest(f"dimension: {known.name} has {known.dimension}, not {self.dimension}")

    @property
    def known(self) -> catalogue.Pretrained:
        """Its entry in the catalogue."""
        return catalogue.pretrained(self.name)

    @property
    def register_version(self) -> str:
        return self.version or self.known.version

    @property
    def register_format(self) -> str:
        return str(self.model_format or self.known.model_format).upper()

    @property
    def register_description(self) -> str:
        """The description to register; it holds the pretrained version, because the server numbers versions itself."""
        return self.description or f"{self.known.name} {self.register_version}"

    def same(self, model: Model) -> bool:
        """Return whether a registered model of this name has the same format and, if recorded, the same version."""
        if str(model.model_format).upper() != self.register_format:
            return False
        name, _, version = (model.description or "").rpartition(" ")
        return name != self.known.name or version == self.register_version


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class UrlModel(Common):
    """A model whose zip file the cluster downloads from ``url``; its SHA-256 in hex identifies the content.

    https://docs.opensearch.org/latest/ml-commons-plugin/custom-local-models/
    """

    name: str
    url: str
    model_content_hash_value: str = attrs.field(converter=lower)
    function_name: FunctionName | str = FunctionName.TEXT_EMBEDDING
    model_format: ModelFormat | str = ModelFormat.TORCH_SCRIPT
    model_config: ModelConfig | None = None
    version: str = "1"

    def __attrs_post_init__(self) -> None:
        check_name(self.name, self.model_format)

    def same(self, model: Model) -> bool:
        """Return whether a registered model of this name has the same content."""
        return _hash_of(model) == self.model_content_hash_value


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class RemoteModel(Common):
    """A remote model: with the id of an existing connector, or with a connector embedded in the model.

    https://docs.opensearch.org/latest/ml-commons-plugin/remote-models/
    """

    name: str
    connector_id: str | None = None
    connector: CreateConnector | None = None
    guardrails: Guardrails | None = None

    def __attrs_post_init__(self) -> None:
        if (self.connector_id is None) == (self.connector is None):
            raise InvalidRequest("a RemoteModel needs either connector_id or connector")

    def same(self, model: Model) -> bool:
        """Return whether a registered model of this name has the same connector; credentials cannot be compared."""
        if self.connector is None:
            return model.connector_id == self.connector_id
        return model.connector is not None and self.essence == _essence(convert.unstructure(model.connector))

    @property
    def essence(self) -> tuple[object, ...]:
        """The fields that identify the embedded connector."""
        return _essence(convert.unstructure(self.connector))


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class ExistingModel:
    """A registered model, by id."""

    model_id: str


Spec: TypeAlias = PretrainedModel | UrlModel | FileModel | RemoteModel | ExistingModel


def _hash_of(model: Model) -> str:
    return (model.model_content_hash_value or "").lower()


def _essence(connector: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what identifies a connector, normalized: the server adds defaults, capitals and quotes around numbers."""
    actions = [
        (str(action.get("action_type")).upper(), action.get("url"), action.get("request_body"))
        for action in connector.get("actions") or ()
    ]
    parameters = {
        key: value if isinstance(value, str) else orjson.dumps(value).decode()
        for key, value in (connector.get("parameters") or {}).items()
    }
    return connector.get("name"), connector.get("protocol"), connector.get("url"), parameters, actions
