"""What is wrong with a cluster for ML, and what mends it: ``await ml.diagnose()``, ``aiomlcommons doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.diagnosis.diagnosis import Diagnosis
    from aiomlcommons.diagnosis.findings import Checked, Finding, Report, Severity

__all__ = ["Checked", "Diagnosis", "Finding", "Report", "Severity"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        {
            ".diagnosis": "Diagnosis",
            ".findings": "Checked Finding Report Severity",
        },
    )
