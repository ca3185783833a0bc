"""A diagnosis: every check in turn, each within its time, and none ends the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, TypeAlias

import anyio
import attrs

from aiomlcommons.client import Client
from aiomlcommons.diagnosis.checks import (
    connection,
    connectors,
    downloads,
    indices,
    memory,
    models,
    nodes,
    permissions,
    settings,
    tasks,
    version,
)
from aiomlcommons.diagnosis.denials import why
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Report
from aiomlcommons.errors import MLCommonsError, SessionClosed

Check: TypeAlias = Callable[[Facts], Awaitable[Checked]]
# Without a connection, and without the plugin, the others would only repeat it.
_FIRST: tuple[tuple[str, Check], ...] = ((connection.NAME, connection.check), (version.NAME, version.check))
_OTHERS: tuple[tuple[str, Check], ...] = (
    (permissions.NAME, permissions.check),
    (nodes.NAME, nodes.check),
    (settings.NAME, settings.check),
    (memory.NAME, memory.check),
    (indices.NAME, indices.check),
    (models.NAME, models.check),
    (tasks.NAME, tasks.check),
    (downloads.NAME, downloads.check),
    (connectors.NAME, connectors.check),
)
NAMES = tuple(name for name, _ in (*_FIRST, *_OTHERS))
"""The names of the checks, in their order."""


@attrs.frozen(eq=False)
class Diagnosis:
    """Checks to run: ``await`` it for the whole report, ``async for`` it for the result of each as it comes.

    It changes nothing on the cluster.
    """

    _ml: Client
    _timeout: float

    def __await__(self) -> Generator[Any, Any, Report]:
        return self._report().__await__()

    async def __aiter__(self) -> AsyncIterator[Checked]:
        facts = Facts(self._ml)
        for name, check in _FIRST:
            checked = await self._checked(name, check, facts)
            yield checked
            if checked.state == "problem":
                return
        for name, check in _OTHERS:
            yield await self._checked(name, check, facts)

    async def _report(self) -> Report:
        return Report([checked async for checked in self])

    async def _checked(self, name: str, check: Check, facts: Facts) -> Checked:
        try:
            with anyio.fail_after(self._timeout):
                return await check(facts)
        except SessionClosed:
            raise
        except MLCommonsError as error:
            return Checked(name, unchecked=[why(error)])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # An answer of another shape than any known server's.
            return Checked(name, unchecked=[f"an unexpected answer: {error!r}"])
        except TimeoutError:
            return Checked(name, unchecked=[f"it took longer than {self._timeout:g} s"])
