"""What a log line costs a call: switched off, held back, and written.

    python -m benchmarks.log_lines [--calls N] [--rounds N]

The fastest of several rounds counts, since other load on the machine only adds to it.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Mapping

from aiomlcommons import HttpRequest, HttpResponse
from aiomlcommons.net.events import Events
from aiomlcommons.statuses import error_for

LOG = logging.getLogger("aiomlcommons")
SENT = HttpRequest(
    "POST", "/_plugins/_ml/_predict/text_embedding/m", headers={"x-opaque-id": "a" * 29}, base="http://a"
)
GOT = HttpResponse(200, b"x" * 1000, {}, SENT)
ERROR = error_for(HttpResponse(429, b'{"error": "no"}', {}, SENT))
EVENTS = Events()


class Discarded(logging.Handler):
    """Formats lines, and drops them."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def nothing() -> None:
    """Do nothing."""


def answered() -> None:
    """Tell of a response, as each attempt does."""
    EVENTS.answered(SENT, GOT, attempt=1, seconds=0.01)


def retrying() -> None:
    """Tell of a retry."""
    EVENTS.retrying(SENT, "http://a", ERROR, attempt=1, of=4, pause=0.1, waits=False)


ROWS: Mapping[str, tuple[Callable[[], None], int]] = {
    "a call's DEBUG line, off": (answered, logging.WARNING),
    "a call's DEBUG line, written": (answered, logging.DEBUG),
    "a retry's INFO line, off": (retrying, logging.WARNING),
    "a retry's INFO line, held back": (retrying, logging.INFO),
}


def microseconds(work: Callable[[], None], calls: int, rounds: int) -> float:
    """Return what one call of a function takes, in microseconds, without the call itself."""
    return 1e6 * (_fastest(work, calls, rounds) - _fastest(nothing, calls, rounds)) / calls


def _fastest(work: Callable[[], None], calls: int, rounds: int) -> float:
    def once() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - started

    return min(once() for _ in range(rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    LOG.addHandler(Discarded())
    LOG.propagate = False
    for name, (work, level) in ROWS.items():
        LOG.setLevel(level)
        print(f"{name:34} {microseconds(work, options.calls, options.rounds):7.2f} us")
