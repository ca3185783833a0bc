"""``ml.diagnose``: the mixin of a session that finds out what is wrong with its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.client import HasClient
from aiomlcommons.typed import typed

if TYPE_CHECKING:
    from aiomlcommons.diagnosis.diagnosis import Diagnosis


class Diagnoses(HasClient):
    """What is wrong with the cluster for ML."""

    @typed
    def diagnose(self, *, timeout: float = 20.0) -> Diagnosis:
        """Find out what is wrong with the cluster for ML, and what mends it; nothing is changed.

        ``report = await ml.diagnose()`` runs every check; ``async for checked in ml.diagnose()`` gives the result of
        each as it comes. What a check cannot find out, for want of a permission or of time, it says.

        Args:
            timeout: Seconds for each check.

        Raises ValueError if ``timeout`` is not positive, and SessionClosed.
        """
        from aiomlcommons.diagnosis.diagnosis import Diagnosis

        if not timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
        return Diagnosis(self._session.options(retries=0), timeout)
