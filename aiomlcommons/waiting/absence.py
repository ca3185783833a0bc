"""How long no node has listed a piece of work: a node that has just finished lists it no more, as one that died."""

from __future__ import annotations

import math

import attrs


@attrs.define
class Absence:
    """Since when no node has listed a task or a registration, as looks at the nodes tell."""

    _since: float = math.inf

    def lasts(self, is_absent: bool, at: float, lag: float) -> bool:
        """Note a look at the nodes, and return whether it and those before have missed the work for ``lag`` seconds.

        One look never tells: what ended between the look at its record and that at the nodes is on no node either, and
        its record may say so only a while later.
        """
        lasting = is_absent and at - self._since >= lag
        self._since = min(self._since, at) if is_absent else math.inf
        return lasting
