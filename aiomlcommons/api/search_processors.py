"""Processors of search pipelines that ask models or join the scores of several queries; any other is a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from aiomlcommons.api import checks
from aiomlcommons.api.processors import AnyProcessor, PruneType
from aiomlcommons.record import Record, mixin, record

# ---- what is done to a request -------------------------------------------------------------------------------------


@record
class NeuralQueryEnricher(AnyProcessor):
    """Give neural queries the model that they do not name: one for all, or one for each field.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/neural-query-enricher/
    """

    type: ClassVar[str] = "neural_query_enricher"
    since: ClassVar[str] = "2.11"

    default_model_id: str | None = None
    neural_field_default_id: Mapping[str, str] | None = None

    def problems(self) -> Iterator[str]:
        if self.default_model_id is None and self.neural_field_default_id is None:
            yield "give default_model_id, neural_field_default_id or both"


@record
class TwoPhase(Record):
    """Which tokens the first phase leaves out, and how many documents the second one scores."""

    prune_ratio: float | None = None
    prune_type: PruneType | None = None
    expansion_rate: float | None = None
    max_window_size: int | None = None


@record
class NeuralSparseTwoPhase(AnyProcessor):
    """Search sparse vectors by the heavy tokens first, and score only what these find by all tokens.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/neural-sparse-query-two-phase-processor/
    """

    type: ClassVar[str] = "neural_sparse_two_phase_processor"
    since: ClassVar[str] = "2.15"

    enabled: bool | None = None
    two_phase_parameter: TwoPhase | None = None

    def problems(self) -> Iterator[str]:
        given = self.two_phase_parameter or TwoPhase()
        if given.expansion_rate is not None and given.expansion_rate < 1:
            yield f"two_phase_parameter.expansion_rate must be at least 1, not {given.expansion_rate}"
        if given.max_window_size is not None and given.max_window_size < 50:
            yield f"two_phase_parameter.max_window_size must be at least 50, not {given.max_window_size}"


@record
class AgenticQueryTranslator(AnyProcessor):
    """Let an agent write the query of an ``agentic`` one.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/agentic-query-translator-processor/
    """

    type: ClassVar[str] = "agentic_query_translator"
    since: ClassVar[str] = "3.2"

    agent_id: str
    embedding_model_id: str | None = None


@mixin
class AnyMLInference(AnyProcessor):
    """What asking a model for a request and for a response have in common; see ``MLInference``."""

    since: ClassVar[str] = "2.16"

    optional_input_map: Sequence[Mapping[str, str]] | None = None
    optional_output_map: Sequence[Mapping[str, str]] | None = None
    function_name: str | None = None
    full_response_path: bool | None = None
    model_config: Mapping[str, Any] | None = None
    model_input: str | None = None
    max_prediction_tasks: int | None = None
    ignore_missing: bool | None = None


@record
class MLInferenceRequest(AnyMLInference):
    """Ask any model before a search, and put its answer into the query.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/ml-inference-search-request/
    """

    type: ClassVar[str] = "ml_inference"

    model_id: str
    input_map: Sequence[Mapping[str, str]] | None = None
    output_map: Sequence[Mapping[str, str]] | None = None
    query_template: str | None = None

    def problems(self) -> Iterator[str]:
        for name in ("input_map", "output_map"):
            if not getattr(self, name) and not getattr(self, f"optional_{name}"):
                yield f"give {name}, optional_{name} or both"


# ---- what is done to the results of the shards ---------------------------------------------------------------------


@record
class Technique(Record):
    """A way to normalize or to combine scores, and its parameters, such as ``{"weights": [0.3, 0.7]}``."""

    technique: str | None = None
    parameters: Mapping[str, Any] | None = None


@record
class Normalization(AnyProcessor):
    """Normalize the scores of the queries of a ``hybrid`` one, and combine them.

    Normalization is by ``min_max`` (the default), ``l2`` or ``z_score``, combination by ``arithmetic_mean`` (the
    default), ``geometric_mean`` or ``harmonic_mean``; ``z_score`` goes with ``arithmetic_mean`` only.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/normalization-processor/
    """

    type: ClassVar[str] = "normalization-processor"
    since: ClassVar[str] = "2.10"

    normalization: Technique | None = None
    combination: Technique | None = None

    def problems(self) -> Iterator[str]:
        first, second = ((one or Technique()).technique for one in (self.normalization, self.combination))
        if first == "z_score" and second not in (None, "arithmetic_mean"):
            yield f"z_score can only be combined by arithmetic_mean, not by {second}"


@record
class RankCombination(Technique):
    """Reciprocal rank fusion (``rrf``): a document counts for 1 / (``rank_constant`` + its rank) in each query."""

    rank_constant: int | None = None


@record
class ScoreRanker(AnyProcessor):
    """Combine the queries of a ``hybrid`` one by the ranks of the documents, not by their scores.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/score-ranker-processor/
    """

    type: ClassVar[str] = "score-ranker-processor"
    since: ClassVar[str] = "2.19"

    combination: RankCombination | None = None

    def problems(self) -> Iterator[str]:
        constant = None if self.combination is None else self.combination.rank_constant
        if constant is not None and not 1 <= constant <= 10_000:
            yield f"combination.rank_constant must be between 1 and 10000, not {constant}"


# ---- what is done to a response ------------------------------------------------------------------------------------


@record
class RerankModel(Record):
    """A cross-encoder that scores each document against the query."""

    model_id: str


@record
class RerankByField(Record):
    """A field of the documents, such as an earlier processor's, that is the score."""

    target_field: str
    remove_target_field: bool | None = None
    keep_previous_score: bool | None = None
    previous_score_field: str | None = None


@record
class RerankContext(Record):
    """The fields of a document that the model reads."""

    document_fields: Sequence[str]


@record
class Rerank(AnyProcessor):
    """Sort the hits by a cross-encoder, or by a field: ``Rerank(RerankModel("m"), context=RerankContext(["text"]))``.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/rerank-processor/
    """

    type: ClassVar[str] = "rerank"
    since: ClassVar[str] = "2.12"
    newer: ClassVar[Mapping[str, str]] = {"by_field": "2.18"}

    ml_opensearch: RerankModel | None = None
    by_field: RerankByField | None = None
    context: RerankContext | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.at_most_one(self, "ml_opensearch", "by_field")
        if self.ml_opensearch is None and self.by_field is None and not self.extra:
            yield "give ml_opensearch, the model, or by_field, the field of the score"
        if self.ml_opensearch is not None and self.context is None:
            yield "ml_opensearch needs context: the document_fields that the model reads"


@record
class MLInferenceResponse(AnyMLInference):
    """Ask any model for the hits of a search: all at once, or each by itself (``one_to_one``).

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/ml-inference-search-response/
    """

    type: ClassVar[str] = "ml_inference"

    model_id: str
    input_map: Sequence[Mapping[str, str]] | None = None
    output_map: Sequence[Mapping[str, str]] | None = None
    override: bool | None = None
    one_to_one: bool | None = None


@record
class RetrievalAugmentedGeneration(AnyProcessor):
    """Let a language model answer a question by the hits of its search.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/rag-processor/
    """

    type: ClassVar[str] = "retrieval_augmented_generation"
    since: ClassVar[str] = "2.10"

    model_id: str
    context_field_list: Sequence[str]
    system_prompt: str | None = None
    user_instructions: str | None = None


@record
class HybridScoreExplanation(AnyProcessor):
    """Explain the scores of a ``hybrid`` query, where a search asks for it by ``explain``.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/explanation-processor/
    """

    type: ClassVar[str] = "hybrid_score_explanation"
    since: ClassVar[str] = "2.19"


@record
class AgenticContext(AnyProcessor):
    """Tell in the response what the agent of an ``agentic`` query did, and the query that it wrote.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/agentic-context-processor/
    """

    type: ClassVar[str] = "agentic_context"
    since: ClassVar[str] = "3.3"

    agent_steps_summary: bool | None = None
    dsl_query: bool | None = None


SearchRequestProcessor: TypeAlias = (
    NeuralQueryEnricher | NeuralSparseTwoPhase | AgenticQueryTranslator | MLInferenceRequest | Mapping[str, Any]
)
PhaseResultsProcessor: TypeAlias = Normalization | ScoreRanker | Mapping[str, Any]
SearchResponseProcessor: TypeAlias = (
    Rerank
    | MLInferenceResponse
    | RetrievalAugmentedGeneration
    | HybridScoreExplanation
    | AgenticContext
    | Mapping[str, Any]
)
