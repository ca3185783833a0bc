"""The catalogue of pretrained models, which a cluster registers by name alone."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import ModelFormat
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle.pasted_names import key, keys_of, plain_name
from aiomlcommons.spelling import did_you_mean

ARTIFACTS = "https://artifacts.opensearch.org/models/ml-models"


@attrs.frozen
class Pretrained:
    """An entry of the catalogue. ``dimension`` is None for a model that does not produce dense vectors.

    ``versions`` maps each version to its formats, oldest version first.

    https://docs.opensearch.org/latest/ml-commons-plugin/pretrained-models/
    """

    name: str
    function_name: FunctionName
    dimension: int | None
    versions: Mapping[str, tuple[ModelFormat, ...]]

    @property
    def short_name(self) -> str:
        """The name without its owner: ``all-MiniLM-L6-v2``."""
        return self.name.rpartition("/")[2]

    @property
    def version(self) -> str:
        """The newest version."""
        return list(self.versions)[-1]

    @property
    def model_format(self) -> ModelFormat:
        """The default format of the newest version: TORCH_SCRIPT, which every model has; some have ONNX too."""
        return self.versions[self.version][0]

    def artifact_url(self, version: str | None = None, model_format: str | None = None) -> str:
        """Return the URL of the zip file of a version and format. Default: the newest, TORCH_SCRIPT.

        https://docs.opensearch.org/latest/ml-commons-plugin/pretrained-models/
        """
        version, kind = version or self.version, str(model_format or self.model_format).lower()
        owner, short = self.name.split("/")[-2:]
        return f"{self._folder(version, kind)}/{owner}_{short}-{version}-{kind}.zip"

    def config_url(self, version: str | None = None, model_format: str | None = None) -> str:
        """Return the URL of the configuration of a version and format, which also has the SHA-256 of the zip file."""
        return f"{self._folder(version or self.version, str(model_format or self.model_format).lower())}/config.json"

    def _folder(self, version: str, kind: str) -> str:
        return f"{ARTIFACTS}/{self.name}/{version}/{kind}"

    def offers(self, version: str | None, model_format: str | None) -> bool:
        """Return whether the model is published in a version and format."""
        return version is not None and model_format in self.versions.get(version, ())


TORCH = (ModelFormat.TORCH_SCRIPT,)
BOTH = (ModelFormat.TORCH_SCRIPT, ModelFormat.ONNX)

PRETRAINED: tuple[Pretrained, ...] = (
    Pretrained("amazon/metrics_correlation", FunctionName.METRICS_CORRELATION, None, {"1.0.0b2": TORCH}),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v1",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.1": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v2-distill",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v2-mini",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v3-distill",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v3-gte",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-multilingual-v1",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-v1",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.1": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-encoding-v2-distill",
        FunctionName.SPARSE_ENCODING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-tokenizer-multilingual-v1",
        FunctionName.SPARSE_TOKENIZE,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "amazon/neural-sparse/opensearch-neural-sparse-tokenizer-v1",
        FunctionName.SPARSE_TOKENIZE,
        None,
        {"1.0.1": TORCH},
    ),
    Pretrained(
        "amazon/sentence-highlighting/opensearch-semantic-highlighter-v1",
        FunctionName.QUESTION_ANSWERING,
        None,
        {"1.0.0": TORCH},
    ),
    Pretrained(
        "huggingface/cross-encoders/ms-marco-MiniLM-L-12-v2",
        FunctionName.TEXT_SIMILARITY,
        None,
        {"1.0.0": BOTH, "1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/cross-encoders/ms-marco-MiniLM-L-6-v2",
        FunctionName.TEXT_SIMILARITY,
        None,
        {"1.0.0": BOTH, "1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/all-MiniLM-L12-v2",
        FunctionName.TEXT_EMBEDDING,
        384,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/all-MiniLM-L6-v2",
        FunctionName.TEXT_EMBEDDING,
        384,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/all-distilroberta-v1",
        FunctionName.TEXT_EMBEDDING,
        768,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/all-mpnet-base-v2",
        FunctionName.TEXT_EMBEDDING,
        768,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/distiluse-base-multilingual-cased-v1",
        FunctionName.TEXT_EMBEDDING,
        512,
        {"1.0.1": TORCH, "1.0.2": TORCH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/msmarco-distilbert-base-tas-b",
        FunctionName.TEXT_EMBEDDING,
        768,
        {"1.0.1": BOTH, "1.0.2": BOTH, "1.0.3": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/multi-qa-MiniLM-L6-cos-v1",
        FunctionName.TEXT_EMBEDDING,
        384,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/multi-qa-mpnet-base-dot-v1",
        FunctionName.TEXT_EMBEDDING,
        768,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/paraphrase-MiniLM-L3-v2",
        FunctionName.TEXT_EMBEDDING,
        384,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/paraphrase-mpnet-base-v2",
        FunctionName.TEXT_EMBEDDING,
        768,
        {"1.0.0": BOTH, "1.0.1": BOTH},
    ),
    Pretrained(
        "huggingface/sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        FunctionName.TEXT_EMBEDDING,
        384,
        {"1.0.1": BOTH, "1.0.2": BOTH},
    ),
)
"""Every known pretrained model, in the order of names."""

NICKNAMES: Mapping[str, str] = {
    "neural_sparse_encoding": "amazon/neural-sparse/opensearch-neural-sparse-encoding-v1",
    "neural_sparse_encoding_doc": "amazon/neural-sparse/opensearch-neural-sparse-encoding-doc-v1",
    "neural_sparse_tokenizer": "amazon/neural-sparse/opensearch-neural-sparse-tokenizer-v1",
    "cross_encoder_minilm_6": "huggingface/cross-encoders/ms-marco-MiniLM-L-6-v2",
    "cross_encoder_minilm_12": "huggingface/cross-encoders/ms-marco-MiniLM-L-12-v2",
    **{
        f"sentence_transformers_{nickname}": f"huggingface/sentence-transformers/{name}"
        for nickname, name in {
            "roberta_all": "all-distilroberta-v1",
            "msmarco": "msmarco-distilbert-base-tas-b",
            "minilm_6": "all-MiniLM-L6-v2",
            "minilm_12": "all-MiniLM-L12-v2",
            "mpnet": "all-mpnet-base-v2",
            "multi_qa_minilm_6": "multi-qa-MiniLM-L6-cos-v1",
            "multi_qa_mpnet": "multi-qa-mpnet-base-dot-v1",
            "paraphrase_minilm_3": "paraphrase-MiniLM-L3-v2",
            "paraphrase_multilingual_minilm_12": "paraphrase-multilingual-MiniLM-L12-v2",
            "paraphrase_mpnet": "paraphrase-mpnet-base-v2",
            "multilingual_distiluse_cased": "distiluse-base-multilingual-cased-v1",
        }.items()
    },
}
"""Aliases without slashes and dashes, for users of another client that has them."""


_BY_KEY: Mapping[str, Pretrained] = {written: model for model in PRETRAINED for written in keys_of(model.name)}


def find(name: str) -> Pretrained | None:
    """Return a pretrained model by name, short name, nickname, or its id or address on Hugging Face; else None.

    Case does not count, nor do spaces around the name.
    """
    wanted = key(name)
    return _BY_KEY.get(key(NICKNAMES.get(wanted, wanted)))


def pretrained(name: str) -> Pretrained:
    """Return a pretrained model by a name that ``find`` knows. Raises InvalidRequest, which suggests similar names."""
    if found := find(name):
        return found
    hint = did_you_mean(plain_name(name), short_names(), "`aiomlcommons models pretrained` lists them")
    raise InvalidRequest(f"no pretrained model is called {name!r}; {hint}")


def short_names() -> list[str]:
    """Return the short names of all pretrained models."""
    return [model.short_name for model in PRETRAINED]
