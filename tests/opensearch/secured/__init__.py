"""What a real, secured cluster does to its users, and what they see: ``python -m tests.opensearch.secured``."""

from __future__ import annotations

from tests.opensearch.secured import credentials, outages, rights, trust
from tests.opensearch.secured.case import Case

# Those in which nodes start again are the last.
CASES: tuple[Case, ...] = tuple(case for module in (trust, credentials, rights, outages) for case in module.CASES)

__all__ = ["CASES"]
