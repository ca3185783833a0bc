"""A model that is told what is a query and what a passage."""

from __future__ import annotations

from aiomlcommons.api.model_configs import ModelConfig


def asymmetric_config(all_config: str | None = None) -> ModelConfig:
    """Return the configuration of a model that has a prefix for queries, and one for passages."""
    return ModelConfig(
        model_type="bert",
        embedding_dimension=16,
        framework_type="sentence_transformers",
        query_prefix="query: ",
        passage_prefix="passage: ",
        all_config=all_config,
    )
