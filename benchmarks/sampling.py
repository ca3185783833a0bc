"""A sampling profiler of CPU time for a program with threads: which function spends it, in the event loop or a thread.

``pyinstrument`` sees the main thread only, ``perf`` no functions of Python 3.11, and ``cProfile`` makes calls dear.
Here the main thread is interrupted by the timer of the process's CPU time, and a thread looks at the others: one that
looked at the main thread would do so where that lets it, which is where it waits for the network. The clock of each
thread tells what it has spent since the last time, and its stack who spent it. The time of C code counts as that of the
function that calls it.
"""

from __future__ import annotations

import signal
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
# Threads that are looked at must not go on for long once they are to be: the stack would be another one then.
SWITCH = 1e-5
Stack: TypeAlias = tuple[tuple[str, str], ...]
"""The file and the function of each frame, the innermost first."""


@attrs.define
class Samples:
    """CPU seconds by stack."""

    stacks: defaultdict[Stack, float] = attrs.field(factory=lambda: defaultdict(float))
    _clocks: dict[int, float] = attrs.field(factory=dict)
    _done: threading.Event = attrs.field(factory=threading.Event)

    def interrupt(self, _: int, frame: FrameType | None) -> None:
        """Charge the main thread, which runs this as the handler of a signal."""
        self._charge(threading.get_ident(), frame)

    def watch(self) -> None:
        """Look at the other threads until the end."""
        known = {threading.get_ident(), threading.main_thread().ident}
        while not self._done.wait(INTERVAL):
            for thread, frame in sys._current_frames().items():
                if thread not in known:
                    self._charge(thread, frame)

    def end(self) -> None:
        """Look no more."""
        self._done.set()

    def _charge(self, thread: int, frame: FrameType | None) -> None:
        """Charge a thread's time since the last sample to its stack."""
        try:
            now = time.clock_gettime(time.pthread_getcpuclockid(thread))
        except OSError:  # it has just ended
            return
        before, self._clocks[thread] = self._clocks.get(thread, now), now
        self.stacks[_stack(frame)] += now - before


def _stack(frame: FrameType | None) -> Stack:
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_qualname))
        frame = frame.f_back
    return tuple(found)


@contextmanager
def sampled() -> Iterator[Samples]:
    """Take samples while the context is open."""
    samples, switch = Samples(), sys.getswitchinterval()
    watcher = threading.Thread(target=samples.watch, daemon=True)
    handler = signal.signal(signal.SIGPROF, samples.interrupt)
    sys.setswitchinterval(SWITCH)
    watcher.start()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        samples.end()
        watcher.join()
        sys.setswitchinterval(switch)
