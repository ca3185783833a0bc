"""Builders of connectors for the common providers: each returns a ``CreateConnector`` request that is ready to send.

    from aiomlcommons import connectors

    connector = connectors.openai_embeddings("text-embedding-3-small", api_key)
    created = await ml.send(connector)
    started = await ml.models.register("openai", function_name="remote", connector_id=created.connector_id)

or, embedded in the model, ``ml.models.register("openai", function_name="remote", connector=connector)``. Keys and
tokens may be ``str`` or ``Secret``; ``repr`` masks them. Nothing is sent here; an invalid value raises InvalidRequest,
which names the parameter. The cluster must trust the URL: see its setting ``trusted_connector_endpoints_regex``.

https://docs.opensearch.org/latest/ml-commons-plugin/remote-models/supported-connectors/
"""

from __future__ import annotations

from aiomlcommons.connectors.aws import AwsOptions, bedrock_converse, bedrock_titan_embeddings, sagemaker_embeddings
from aiomlcommons.connectors.build import Options
from aiomlcommons.connectors.generic import http_embeddings
from aiomlcommons.connectors.providers import (
    cohere_embeddings,
    cohere_rerank,
    gemini_generate_content,
    openai_agent,
    openai_chat,
    openai_embeddings,
)

__all__ = [
    "AwsOptions",
    "Options",
    "bedrock_converse",
    "bedrock_titan_embeddings",
    "cohere_embeddings",
    "cohere_rerank",
    "gemini_generate_content",
    "http_embeddings",
    "openai_agent",
    "openai_chat",
    "openai_embeddings",
    "sagemaker_embeddings",
]
