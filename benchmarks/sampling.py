"""A sampling profiler of CPU time for a program with threads: which function spends it, in the event loop or a thread.

``pyinstrument`` sees the main thread only, ``perf`` no functions of Python 3.11, and ``cProfile`` makes calls dear.
Here a thread looks at the others every millisecond: the clock of each tells what it has spent since the last time, and
its stack who spent it. The time of C code counts as that of the function that calls it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

import attrs

INTERVAL = 0.001
# Those that are looked at must not go on for long once they are to be: the stack would be another one then.
SWITCH = 1e-5
Stack: TypeAlias = tuple[tuple[str, str], ...]
"""The file and the function of each frame, the innermost first."""


@attrs.define
class Samples:
    """CPU seconds by stack."""

    stacks: defaultdict[Stack, float] = attrs.field(factory=lambda: defaultdict(float))
    _clocks: dict[int, float] = attrs.field(factory=dict)
    _done: threading.Event = attrs.field(factory=threading.Event)

    def watch(self) -> None:
        """Look at the other threads until the end."""
        me = threading.get_ident()
        while not self._done.wait(INTERVAL):
            for thread, top in sys._current_frames().items():
                if thread != me and (spent := self._since(thread)) > 0:
                    self.stacks[_stack(top)] += spent

    def end(self) -> None:
        """Look no more."""
        self._done.set()

    def _since(self, thread: int) -> float:
        try:
            now = time.clock_gettime(time.pthread_getcpuclockid(thread))
        except OSError:  # it has just ended
            return 0.0
        before, self._clocks[thread] = self._clocks.get(thread, now), now
        return now - before


def _stack(frame: FrameType | None) -> Stack:
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_qualname))
        frame = frame.f_back
    return tuple(found)


@contextmanager
def sampled() -> Iterator[Samples]:
    """Take samples while the context is open."""
    samples, before = Samples(), sys.getswitchinterval()
    watcher = threading.Thread(target=samples.watch, daemon=True)
    sys.setswitchinterval(SWITCH)
    watcher.start()
    try:
        yield samples
    finally:
        samples.end()
        watcher.join()
        sys.setswitchinterval(before)
