"""The fixtures of a real OpenSearch."""

from __future__ import annotations

from tests.support.opensearch.fixture import (
    opensearch_home,
    opensearch_url,
    pytest_collection_modifyitems,
    pytest_configure,
    secured_cluster,
)

__all__ = ["opensearch_home", "opensearch_url", "pytest_collection_modifyitems", "pytest_configure", "secured_cluster"]
