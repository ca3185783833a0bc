"""What a real, secured cluster does to its users, and what they see: ``python -m tests.opensearch.secured``."""

from __future__ import annotations

# Each module registers its cases; those after which a node must start again are the last.
from tests.opensearch.secured import credentials, outages, rights, trust  # noqa: F401
from tests.opensearch.secured.case import CASES

__all__ = ["CASES"]
