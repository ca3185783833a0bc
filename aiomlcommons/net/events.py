"""What happens to calls on the network, told to the log and to spans: one method for each thing that happens.

Never a body or a header: method, path, node, status, the server's reason without credentials, and the ``x-opaque-id``,
by which the call is found in the logs of the server. Each line has these as attributes of its record, too.
"""

from __future__ import annotations

import logging
from typing import Any

import attrs

from aiomlcommons.errors import ApiError, ConnectError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.masking import without_parameters
from aiomlcommons.net.event_words import one_line, reason, tag
from aiomlcommons.net.sparing import Sparing
from aiomlcommons.tracing.calls import current_call
from aiomlcommons.tracing.spans import kind_of

log = logging.getLogger("aiomlcommons")


@attrs.define
class Events:
    """The events of a session. Repeated ones are told sparingly: see ``Sparing``."""

    lines: Sparing = attrs.field(factory=Sparing)

    def close(self) -> None:
        """Tell what was counted only."""
        self.lines.close()

    # ---- one call --------------------------------------------------------------------------------------------------

    def sending(self, sent: HttpRequest) -> None:
        """Tell that a request is sent to the node whose URL it has; the line in the log is that of its end."""
        if (call := current_call()) is not None:
            call.sending(sent)

    def answered(self, sent: HttpRequest, got: HttpResponse, *, attempt: int, seconds: float) -> None:
        """Tell that a node sent a complete response, of any status; ``sent`` has the node's URL."""
        if (call := current_call()) is not None:
            call.answered(sent, got.status)
        if log.isEnabledFor(logging.DEBUG):
            known = {**_of(sent, attempt=attempt), "status": got.status, "seconds": seconds}
            words = "%s at %s: %d, %d bytes in %.3f s, attempt %d%s"
            size = len(got.body)
            log.debug(words, sent, sent.base, got.status, size, seconds, attempt, _id(sent), extra=known)

    def streams(self, sent: HttpRequest, status: int, *, seconds: float) -> None:
        """Tell that a node began to send a response that is streamed."""
        if (call := current_call()) is not None:
            call.answered(sent, status)
        if log.isEnabledFor(logging.DEBUG):
            known = {**_of(sent), "status": status, "seconds": seconds}
            log.debug("%s at %s: %d, streamed after %.3f s%s", sent, sent.base, status, seconds, _id(sent), extra=known)

    def unanswered(self, sent: HttpRequest, error: ConnectError, *, attempt: int, seconds: float) -> None:
        """Tell that a node sent no response, or not all of it."""
        if log.isEnabledFor(logging.DEBUG):
            known = {**_of(sent, error, attempt), "seconds": seconds}
            words = "%s at %s: %s after %.3f s, attempt %d%s"
            log.debug(words, sent, sent.base, reason(error), seconds, attempt, _id(sent), extra=known)

    def retrying(
        self, sent: HttpRequest, node: str, error: Exception, *, attempt: int, of: int, pause: float, waits: bool
    ) -> None:
        """Attempt ``attempt`` of ``of`` failed, and the next one comes after ``pause`` seconds.

        ``waits``: the call is beyond its retries, and goes on for the ``wait`` of the session, whatever ``of`` is.
        """
        if (call := current_call()) is not None:
            call.happened(
                "aiomlcommons.retry", node, error, {"aiomlcommons.attempt": attempt, "aiomlcommons.pause": pause}
            )
        # A call that begins to wait for the cluster is slow to its user; a retry that comes in time is not.
        level = logging.WARNING if waits and attempt == of else logging.INFO
        number = f"{attempt}, waiting for the cluster" if waits else f"{attempt} of {of}"
        self.lines.say(
            level,
            ("retry", waits, node, kind_of(error)),
            "%s at %s: %s; attempt %s, the next in %.2f s%s",
            *(sent, node, reason(error), number, pause, _id(sent)),
            more=f"retries because of {kind_of(error)} from {node}",
            extra={**_of(sent.at(node), error, attempt), "pause": pause},
        )

    def elsewhere(self, sent: HttpRequest, node: str, error: Exception, *, attempt: int) -> None:
        """Tell that the request goes to another node at once, because it failed at ``node``."""
        if (call := current_call()) is not None:
            call.happened("aiomlcommons.elsewhere", node, error, {"aiomlcommons.attempt": attempt})
        # The node is set aside, which is a line of its own: this one would come for each call in flight.
        if log.isEnabledFor(logging.DEBUG):
            known = _of(sent.at(node), error, attempt)
            log.debug("%s at %s: %s; sent to another node%s", sent, node, reason(error), _id(sent), extra=known)

    def hedged(self, sent: HttpRequest, node: str, *, after: float) -> None:
        """Tell that the request goes to ``node``, too, because its first one had no response after so many seconds."""
        if (call := current_call()) is not None:
            call.happened("aiomlcommons.hedge", node, attributes={"aiomlcommons.pause": after})
        self.lines.say(
            logging.INFO,
            "hedge",
            "%s: no response after %.2f s, sent to %s, too%s",
            *(sent, after, node, _id(sent)),
            more="hedges",
            extra=_of(sent.at(node)),
        )

    def renewed(self, sent: HttpRequest, status: int) -> None:
        """Tell that the credentials of a request were refused, and it is sent again with others."""
        if (call := current_call()) is not None:
            call.happened("aiomlcommons.renewed_credentials", sent.base, attributes={"error.type": str(status)})
        self.lines.say(
            logging.INFO,
            ("renewed", sent.base),
            "%s at %s: %d; sent again with renewed credentials%s",
            *(sent, sent.base, status, _id(sent)),
            more="calls sent again with renewed credentials",
            first=1,
            extra={**_of(sent), "status": status},
        )

    def waits_for_turn(self, sent: HttpRequest, where: str, *, pause: float, status: int) -> None:
        """Tell that the request waits for about ``pause`` seconds: ``where``, a node or a path, only refuses."""
        if (call := current_call()) is not None:
            told: dict[str, str | float] = {"aiomlcommons.pause": pause, "aiomlcommons.refuses": where}
            call.event("aiomlcommons.turn", {**told, "error.type": str(status)})
        self.lines.say(
            logging.INFO,
            ("turn", where),
            "%s: waits %.1f s for its turn, since %s only refuses (%d)%s",
            *(sent, pause, where, status, _id(sent)),
            more=f"calls that wait for their turns at {where}",
            extra={**_of(sent), "pause": pause, "status": status},
        )

    def given_up(
        self,
        cancelled: BaseException,
        sent: HttpRequest,
        node: str | None,
        *,
        waits_for: str,
        error: Exception | None,
        attempt: int,
        seconds: float,
    ) -> None:
        """Tell that a call was cancelled, as by a deadline, so many seconds after it began.

        ``cancelled`` is given a note, which a traceback shows above the TimeoutError of a deadline, that has no words
        of its own. ``error`` is the last failure of the call.
        """
        where = sent if node is None else f"{sent} at {node}"
        last = f"; attempt {attempt}, the last failure was {reason(error)}" if error is not None else ""
        words = f"{where}: given up after {seconds:.1f} s, while it waited for {waits_for}{last}{_id(sent)}"
        cancelled.add_note(words)
        self.lines.say(
            logging.DEBUG if error is None else logging.INFO,
            ("given up", node),
            "%s",
            words,
            more="calls given up",
            extra={**_of(sent.at(node or ""), error, attempt), "seconds": seconds},
        )

    # ---- nodes and circuits ------------------------------------------------------------------------------------------

    def opened(self, where: str, error: ApiError, refusals: int) -> None:
        """Tell that calls to ``where`` (a node or a path) are spaced from now on, after so many refusals in a row."""
        self.lines.say(
            logging.WARNING,
            ("circuit", where),
            "%s refused %d requests in a row, the last one with %s: calls to it are spaced until one succeeds%s",
            *(where, refusals, reason(error), _id(error.request)),
            more=f"times {where} refused {refusals} requests in a row",
            extra={"where": where, "error": type(error).__name__, "status": error.status},
        )

    def closed(self, where: str, refusals: int) -> None:
        """Tell that calls to ``where`` are spaced no more."""
        self.lines.say(
            logging.INFO,
            ("closed", where),
            "%s takes calls again, after %d refusals: they are spaced no more",
            *(where, refusals),
            more=f"times {where} took calls again",
            extra={"where": where},
        )

    def set_aside(self, node: str, error: Exception, *, seconds: float, failures: int) -> None:
        """Tell that a node gets no calls for so many seconds, after so many failures in a row."""
        level = logging.WARNING if failures == 1 else logging.DEBUG
        known = {"node": node, "error": type(error).__name__, "pause": seconds}
        found = getattr(error, "opaque_id", None)
        log.log(level, "%s is set aside for %.0f s: %s%s", node, seconds, reason(error), tag(found), extra=known)

    def back(self, node: str) -> None:
        """Tell that a node that was set aside responded."""
        log.info("%s responds again and takes calls", node, extra={"node": node})

    def joined(self, node: str) -> None:
        """Tell of a node that discovery found, and that takes calls."""
        log.info("%s is a node of the cluster and takes calls", node, extra={"node": node})

    def mute(self, node: str) -> None:
        """Tell of a node that discovery found, but that does not respond."""
        # Clusters in containers name addresses that nobody can reach from outside.
        words = "%s is a node of the cluster but does not respond: it gets no calls"
        log.warning(words, node, extra={"node": node})

    def left(self, node: str) -> None:
        """Tell that a node is not among those of the cluster any more."""
        log.info("%s left the cluster", node, extra={"node": node})

    def undiscovered(self, why: str | Exception) -> None:
        """Tell that the cluster could not be asked for its nodes."""
        log.warning("the nodes of the cluster could not be discovered: %s", one_line(str(why)))


def _id(sent: HttpRequest) -> str:
    return tag(sent.opaque_id)


def _of(sent: HttpRequest, error: BaseException | None = None, attempt: int | None = None) -> dict[str, Any]:
    """Return the attributes of a log record that tell about a request."""
    found: dict[str, Any] = {
        "opaque_id": sent.opaque_id,
        "method": sent.method,
        "path": without_parameters(sent.path),
        "node": sent.base,
    }
    if attempt is not None:
        found["attempt"] = attempt
    if error is not None:
        found["error"] = type(error).__name__
    if isinstance(error, ApiError):
        found["status"] = error.status
    return found
