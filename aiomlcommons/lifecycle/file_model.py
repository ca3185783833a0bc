"""The spec of a model from files: of this machine, or of a repository on Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, TypedDict, Unpack

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import DeploySetting, ModelFormat, RateLimiter
from aiomlcommons.lifecycle.files.hub_repository import HubRepository
from aiomlcommons.lifecycle.pasted_names import plain_name, revision_in
from aiomlcommons.lifecycle.spec_fields import Common, GroupSpec, check_name, lower
from aiomlcommons.net.rules import AMOUNT
from aiomlcommons.net.secret import Secret
from aiomlcommons.typed import typed_fields


class FileFields(TypedDict, total=False):
    """The fields of a FileModel but its path."""

    name: str | None
    group: GroupSpec | str | None
    description: str | None
    is_enabled: bool | None
    rate_limiter: RateLimiter | None
    deploy_setting: DeploySetting | None
    interface: Mapping[str, Any] | None
    function_name: FunctionName | str
    model_format: ModelFormat | str | None
    model_config: ModelConfig | None
    model_content_hash_value: str | None
    version: str
    concurrency: int


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class FileModel(Common):
    """A model to upload from a local zip file, or from a directory, which is packed into one.

    Args:
        path: The zip file or directory, or what ``from_hub`` makes of a repository on Hugging Face.
        name: The model's name. Default: the file's name without its extension.
        function_name: The kind of model. Default: TEXT_EMBEDDING.
        model_format: TORCH_SCRIPT or ONNX. Default: that of the model file in the zip file.
        model_config: Default: read from a Hugging Face ``config.json`` beside the zip file or in the directory.
        model_content_hash_value: The expected SHA-256 in hex; BadPackage if the file has another. Default: not checked.
        version: The model's version. Default: "1".
        concurrency: Chunks of 10,000,000 bytes uploaded at once; as many are held in memory. Default: 4.

    https://docs.opensearch.org/latest/ml-commons-plugin/custom-local-models/
    """

    path: str | PathLike[str] | HubRepository
    name: str | None = None
    function_name: FunctionName | str = FunctionName.TEXT_EMBEDDING
    model_format: ModelFormat | str | None = None
    model_config: ModelConfig | None = None
    model_content_hash_value: str | None = attrs.field(default=None, converter=attrs.converters.optional(lower))
    version: str = "1"
    concurrency: int = attrs.field(default=4, validator=AMOUNT)

    def __attrs_post_init__(self) -> None:
        check_name(self.name or "", self.model_format)

    @classmethod
    def from_hub(
        cls,
        repo_id: str,
        *,
        revision: str | None = None,
        filename: str | None = None,
        token: str | Secret | None = None,
        endpoint: str | None = None,
        cache_dir: str | PathLike[str] | None = None,
        **fields: Unpack[FileFields],
    ) -> FileModel:
        """Return a model whose files ``ensure`` downloads from Hugging Face and uploads; nothing is downloaded yet.

        The repository must have the model as ONNX or TorchScript: OpenSearch runs no other. Its configuration is read
        from ``config.json`` and the files of sentence-transformers. Needs the extra ``hub``.

        Args:
            repo_id: The repository, such as ``sentence-transformers/all-MiniLM-L6-v2``, or its address.
            revision: A branch, tag or commit. Default: that of the address, or ``main``.
            filename: The model in the repository. Default: ``onnx/model.onnx``, ``model.onnx``, ``model.pt``, or the
                only one that there is.
            token: An access token, for a private or gated repository. Default: the one that ``hf auth login`` saved,
                or ``HF_TOKEN``.
            endpoint: The address of a mirror. Default: ``HF_ENDPOINT``, or huggingface.co.
            cache_dir: The folder of downloaded files. Default: that of huggingface_hub.
            fields: The other fields of a FileModel. ``name`` is the ``repo_id`` by default.

        Raises:
            InvalidRequest: It is no id of a repository, or a field is invalid.
        """
        text = isinstance(repo_id, str)  # HubRepository refuses anything else
        repository = HubRepository(
            plain_name(repo_id) if text else repo_id,
            revision or (revision_in(repo_id) if text else None),
            filename,
            token=token,
            endpoint=endpoint,
            cache_dir=cache_dir,
        )
        given: dict[str, Any] = {"name": repository.repo_id, **fields}
        return cls(path=repository, **given)
