"""What a job works with: the task, the plan, and the state of the run, if it was begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.reembedding.facts import IndexFacts
from aiomlcommons.reembedding.plan import Plan
from aiomlcommons.reembedding.state import Phase, State
from aiomlcommons.reembedding.task import Task


@attrs.frozen(kw_only=True)
class Scene:
    """What is known before the work.

    Attributes:
        task: What is made of what.
        plan: What is going to be done.
        state: The state of the run; of one that is not begun, the one that it begins with.
        source: The old index; None if it is gone.
        body: The request that makes the new index, or the mapping of the second field, without the state.
    """

    task: Task
    plan: Plan
    state: State
    source: IndexFacts | None
    body: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def is_begun(self) -> bool:
        """Whether something was written."""
        return self.state.phase is not Phase.PLANNED
