"""Whose run it is: one process works on a re-embedding at a time, and gives a sign of life."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
import uuid

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.reembedding.errors import AnotherRun
from aiomlcommons.reembedding.state import Owner, State, StateFile

log = logging.getLogger("aiomlcommons")
BEAT = 15.0
"""Seconds between two signs of life."""
SILENT = 60.0
"""Seconds after which a process without one is taken for dead."""
# The runs of this process, for one that is restarted often has the same number: in a container it is always 1.
_OWN: set[str] = set()


@attrs.define
class Owning:
    """The hold of this process on a run; ``lost`` is the error once another process has taken it over."""

    token: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    lost: AnotherRun | None = None
    # Between reading the state and writing it back, which a sign of life and the steps of the run do alike.
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _file: StateFile | None = None

    async def take(self, file: StateFile, known: State) -> State | None:
        """Take a run, whose phases are there as they are known, and return its state; None if it is taken already.

        Raises AnotherRun if it is another's or went on, ApiError, ConnectError.
        """
        if self._file is not None:
            return None
        state = await file.read()
        if state is None:
            raise AnotherRun(f"index {file.index} has no state of a re-embedding any more: it was replaced meanwhile")
        if state.owner is not None and is_at_work(state.owner, self.token):
            raise AnotherRun(told(file.index, state.owner))
        if not set(state.steps) <= set(known.steps):
            raise AnotherRun(
                f"the re-embedding into {file.index} went on meanwhile, and is {state.phase}: run the same again"
            )
        await file.write(attrs.evolve(state, owner=self.owner()))
        _OWN.add(self.token)
        self._file = file
        return state

    def owner(self) -> Owner:
        """Return this process as the owner, alive now."""
        return Owner(token=self.token, host=socket.gethostname(), pid=os.getpid(), beat=time.time())

    def took(self, file: StateFile) -> None:
        """Know that the run was created with this process as its owner."""
        _OWN.add(self.token)
        self._file = file

    def check(self) -> None:
        """Raise AnotherRun if another process has taken the run over."""
        if self.lost is not None:
            raise self.lost

    async def beat(self) -> None:
        """Give signs of life until cancelled."""
        while True:
            await anyio.sleep(BEAT)
            try:
                await self.beat_once()
            except MLCommonsError as error:  # a restart of the cluster is no reason to end the run
                log.info("no sign of life could be given: %s", error)

    async def beat_once(self) -> None:
        """Give a sign of life, or learn that another process has taken the run. Raises ApiError, ConnectError."""
        async with self.lock:
            if (state := await self.look()) is not None and self._file is not None:
                await self._file.write(attrs.evolve(state, owner=self.owner()))

    async def look(self) -> State | None:
        """Return the state; None if it is gone, or if another process took the run, which ``lost`` tells from then on.

        Who was taken for dead, as a computer that slept, must not write an older state over the newer one.
        """
        if self._file is None or (state := await self._file.read()) is None:
            return None
        if state.owner is not None and state.owner.token == self.token:
            return state
        self.lost, self._file = AnotherRun(_taken(self._file.index, state.owner)), None
        return None

    async def release(self) -> None:
        """Let go of the run, so that the next process need not wait."""
        _OWN.discard(self.token)
        file, self._file = self._file, None
        if file is None:
            return
        try:
            state = await file.read()
            if state is not None and state.owner is not None and state.owner.token == self.token:
                await file.write(attrs.evolve(state, owner=None))
        except MLCommonsError as error:
            log.info("the run could not be let go of, which ends by itself: %s", error)


def is_at_work(owner: Owner, token: str) -> bool:
    """Return whether another process, as far as is known from here, works on a run."""
    if owner.token == token:
        return False
    if owner.host == socket.gethostname():
        if owner.pid == os.getpid():
            return owner.token in _OWN
        if not _lives(owner.pid):
            return False
    return time.time() - owner.beat < SILENT


def _taken(index: str, owner: Owner | None) -> str:
    if owner is not None:
        return told(index, owner)
    return f"another process has worked on the re-embedding into {index} meanwhile: run the same again, which goes on"


def told(index: str, owner: Owner) -> str:
    """Return what is said of a run that is another process's."""
    ago = max(0, round(time.time() - owner.beat))
    return (
        f"process {owner.pid} on {owner.host} is re-embedding into {index}, and gave a sign of life {ago} s ago: let "
        f"it end, or stop it; one that was killed on another machine is taken for dead {SILENT:.0f} s after its sign"
    )


def _lives(pid: int) -> bool:
    if sys.platform == "win32":  # where this would send Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
