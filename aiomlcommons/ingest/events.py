"""What happens in a bulk job, told to the log: its start and end, and sparingly what slows it down in between."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.net.event_words import one_line, reason, tag
from aiomlcommons.net.sparing import Sparing

log = logging.getLogger("aiomlcommons")
# Seconds between two lines that say how far a job is.
PROGRESS = 60.0


@attrs.define
class JobEvents:
    """The events of one job. What comes by the thousand is told as ``Sparing`` does."""

    lines: Sparing = attrs.field(factory=Sparing)
    _told: float = attrs.field(init=False)
    _probing: float | None = None

    def __attrs_post_init__(self) -> None:
        self._told = self.lines.clock()

    # ---- the job as a whole ----------------------------------------------------------------------------------------

    def started(self, source: str, sink: str, *, done: int, options: Mapping[str, Any]) -> None:
        """Tell that a job began, or goes on after ``done`` rows of an earlier run."""
        how = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
        began = f"job resumed after {done:,} rows" if done else "job started"
        log.info("%s: from %s into %s, %s", began, source, sink, how)

    def saved(self, done: str, stats: object) -> None:
        """Tell that everything so far is durable, and now and then how far the job is."""
        log.debug("job saved: %s are durable", done)
        if self.lines.clock() - self._told >= PROGRESS:
            self._told = self.lines.clock()
            log.info("job under way: %s", stats)

    def ended(self, report: object) -> None:
        """Tell that all rows are settled."""
        self.lines.close()
        log.info("job ended: %s", report)

    def broke_off(self, error: BaseException, stats: object) -> None:
        """Tell that a job ended before its last row."""
        self.lines.close()
        log.warning("job broke off: %s, %s: %s", stats, type(error).__name__, one_line(str(error)))

    def failed(self, rows: Iterable[tuple[int, str | None, str, str]], file: str) -> None:
        """Tell of documents that failed for good: number, id, why, and the reason that is the same for others."""
        for number, key, why, kind in rows:
            named = f"row {number}" if key is None else f"row {number} ({one_line(key)})"
            self.lines.say(
                logging.WARNING,
                ("failed", kind),
                "%s failed, it is in %s: %s",
                *(named, file, one_line(why)),
                more=f"documents failed: {one_line(kind)}",
                first=1,
            )

    # ---- its requests ----------------------------------------------------------------------------------------------

    def retrying(self, texts: int, error: MLCommonsError, *, pause: float, retries: int) -> None:
        """Tell that a request to the model failed, and is sent again after ``pause`` s; ``retries`` of the job."""
        node = _node(error)
        self.lines.say(
            logging.INFO,
            ("retry", node, type(error)),
            "a request of %d texts%s: %s; sent again in %.2f s, retry %d of the job%s",
            *(texts, node, reason(error), pause, retries, tag(error.opaque_id)),
            more=f"retries because of {type(error).__name__}{node}",
            first=1,
            extra={"opaque_id": error.opaque_id, "error": type(error).__name__, "pause": pause},
        )

    def probing(self, error: MLCommonsError, *, pause: float) -> None:
        """Tell that so many requests failed that only one at a time is sent again, until one succeeds."""
        if self._probing is None:
            self._probing = self.lines.clock()
        self.lines.say(
            logging.WARNING,
            "probing",
            "the retry budget is spent (%s): one request at a time is sent again, each %.1f s, until one succeeds%s",
            *(reason(error), pause, tag(error.opaque_id)),
            more=None,
            first=1,
        )

    def answered(self) -> None:
        """Tell of the first response after the retry budget was spent."""
        if self._probing is not None:
            # A server under throttling answers now and then.
            self.lines.say(
                logging.INFO,
                "answers",
                "the server answers again, after %.1f s",
                self.lines.clock() - self._probing,
                more=None,
                first=1,
            )
            self._probing = None

    def slowed(self, before: int, now: int, error: MLCommonsError) -> None:
        """Tell that the concurrency was lowered because the server refused a request."""
        self.lines.say(
            logging.INFO,
            "slowed",
            "concurrency lowered from %d to %d requests at once: %s%s",
            *(before, now, reason(error), tag(error.opaque_id)),
            more=f"concurrency lowered, now to {now}",
            first=1,
            extra={"concurrency": now},
        )


@attrs.define
class IndexEvents:
    """The events of an index that documents are written to."""

    index: str
    lines: Sparing = attrs.field(factory=Sparing)

    def retrying(self, documents: int, why: str, *, pause: float) -> None:
        """Tell that documents were not accepted for now, and are sent again after ``pause`` seconds."""
        self.lines.say(
            logging.INFO,
            "index",
            "index %s did not accept %d documents: %s; sent again in %.2f s",
            *(self.index, documents, one_line(why), pause),
            more=f"requests that index {self.index} did not accept",
            first=1,
        )


def _node(error: MLCommonsError) -> str:
    request = getattr(error, "request", None)
    return f" to {request.base}" if request is not None and request.base else ""
