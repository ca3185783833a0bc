"""Circuits: while a node, or a model's provider, does nothing but refuse, the calls to it are spaced."""

from __future__ import annotations

import math
from collections.abc import Iterable

import anyio
import attrs

from aiomlcommons.errors import ApiError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.masking import HARMLESS_HEADERS, without_parameters
from aiomlcommons.net.events import Events
from aiomlcommons.net.nodes import REFUSES
from aiomlcommons.net.retry_budget import RetryBudget
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble.kinds import Kind, Party

STATUSES = frozenset({429, 503})
# The retries that open circuits are granted before calls are spaced; of throttled ones five times as many.
AHEAD = 10.0
# Of more than so many, the oldest are forgotten.
MOST = 1000
# The rate limiters of ML Commons, whose refusals say nothing about the node: that of a model, and that of a user of it.
MODELS, USERS = "Request is throttled at model level", "Request is throttled at user level"
_SAME_FOR_ALL = HARMLESS_HEADERS - {"x-tenant-id", "securitytenant"}


@attrs.frozen(eq=False)
class Caller:
    """Whose a request is: it has the credentials of an ``auth``, and headers that stand for somebody.

    Equal ``auth`` are those of one caller: a service makes a BearerAuth for each call of a user. It keeps ``auth``
    itself, because the ``id`` of one that is gone may be that of another one now.
    """

    auth: object = attrs.field(repr=False)
    headers: int

    @classmethod
    def of(cls, auth: object, request: HttpRequest) -> Caller:
        """Return the caller of a request that is not signed yet."""
        return cls(auth, hash(frozenset(item for item in request.headers.items() if item[0] not in _SAME_FOR_ALL)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Caller) and self.headers == other.headers and bool(self.auth == other.auth)

    def __hash__(self) -> int:
        return hash((self._credentials, self.headers))

    @property
    def _credentials(self) -> int:
        try:
            return hash(self.auth)
        except TypeError:  # an auth of somebody's own, such as a data class
            return id(self.auth)

    def circuits(self, node: str, request: HttpRequest) -> tuple[str, str, str]:
        """Return the keys of the circuits that a request has to pass: of the node, of the route, and its own of both.

        Behind a route, which has the id of a model in its path, is the model's limiter or its provider.
        """
        return node, request.path, f"{request.path} {self._credentials} {self.headers}"

    def circuit_of(self, error: ApiError, node: str, request: HttpRequest) -> str:
        """Return the key of the circuit that counts a refusal: the others do not depend on what refused."""
        nodes, routes, own = self.circuits(node, request)
        if USERS in error.reason:
            return own
        return routes if MODELS in error.reason or error.trouble.party is Party.PROVIDER else nodes


def is_refusal(error: ApiError) -> bool:
    """Return whether an error says "not now": a 429 or 503 that passes, or a throttling error under another status."""
    return error.transient and (error.status in STATUSES or error.trouble.kind is Kind.THROTTLED)


@attrs.define(eq=False)
class Lane:
    """Calls that wait for their turns, first come, first served."""

    _queue: anyio.Lock = attrs.field(factory=anyio.Lock)
    _waiting: int = 0
    _next: float = -math.inf

    def wait(self, spacing: float) -> float:
        """Return the seconds until the turn of a call that comes now."""
        return max(0.0, self._next - anyio.current_time()) + self._waiting * spacing

    async def turn(self, closed: anyio.Event, spacing: float, patience: float) -> bool:
        """Wait for the turn of a call; return False if it would be after ``patience`` s.

        Turns are ``spacing`` seconds apart. Those who wait are released as soon as the circuit is closed.
        """
        if self.wait(spacing) > patience:
            return False
        self._waiting += 1
        try:
            async with self._queue:
                with anyio.move_on_after(self._next - anyio.current_time()):
                    await closed.wait()
                self._next = anyio.current_time() + spacing
        finally:
            self._waiting -= 1
        return True


@attrs.define(eq=False)
class Circuit:
    """Refusals in a row by one node, or by the provider behind one route. It is open from the fifth one on.

    ``last`` is the last one, and ``whose`` is who got it. Callers that were not refused yet have a lane of their own:
    where a quota is that of one of them, the others must not wait behind all of the calls that it refuses.
    """

    last: HttpResponse
    whose: Caller
    refusals: int = 0
    closed: anyio.Event = attrs.field(factory=anyio.Event)
    _refused: dict[Caller, None] = attrs.field(factory=dict)
    _known: Lane = attrs.field(factory=Lane)
    _new: Lane = attrs.field(factory=Lane)

    @property
    def is_open(self) -> bool:
        """Whether calls are spaced."""
        return self.refusals >= REFUSES and not self.closed.is_set()

    def refused(self, response: HttpResponse, whose: Caller) -> None:
        """Count a refusal."""
        self.refusals += 1
        self.last, self.whose = response, whose
        self._refused[whose] = None
        if len(self._refused) > MOST:
            del self._refused[next(iter(self._refused))]

    def lane(self, whose: Caller) -> Lane:
        """Return where a caller's calls wait."""
        return self._known if whose in self._refused else self._new

    def refusal_of(self, request: HttpRequest, whose: Caller) -> ApiError:
        """Return the last refusal as that of a request which is not sent; of other users it has only the status.

        Each call has an error of its own: raised twice, one would collect the traces and notes of both.
        """
        last = self.last if whose == self.whose else HttpResponse(self.last.status, b"")
        error = error_for(attrs.evolve(last, request=request.bare))
        error.add_note(f"not sent: the last {self.refusals} requests were refused, and others wait before this one")
        return error


@attrs.define
class Circuits:
    """The circuits of a session, by the keys of ``Caller.circuits``, and their shared budget."""

    events: Events = attrs.field(factory=Events)
    budget: RetryBudget = attrs.field(factory=lambda: RetryBudget.of(AHEAD))
    _circuits: dict[str, Circuit] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self._circuits)

    def refused(self, key: str, response: HttpResponse, whose: Caller) -> None:
        """Count a refusal."""
        if key not in self._circuits:
            self._circuits[key] = Circuit(response, whose)
        circuit = self._circuits[key]
        circuit.refused(response, whose)
        if circuit.refusals == REFUSES:
            self.events.opened(_where(key), error_for(response), REFUSES)
        if len(self._circuits) > MOST:
            self._forget(next(iter(self._circuits)))

    def answered(self, *keys: str) -> None:
        """Close circuits: there was a response other than a refusal."""
        for key in keys:
            if (circuit := self._circuits.get(key)) is not None:
                if circuit.is_open:
                    self.events.closed(_where(key), circuit.refusals)
                self._forget(key)

    async def turn(
        self, keys: Iterable[str], request: HttpRequest, whose: Caller, *, spacing: float, patience: float
    ) -> None:
        """Wait for the turn of a call, unless the budget pays for it.

        Turns are ``spacing`` seconds apart. Raises the last refusal if its turn would come after ``patience`` seconds.
        """
        found = {key: circuit for key in keys if (circuit := self._circuits.get(key)) and circuit.is_open}
        if not found or not spacing or self.budget.take(throttled=True):
            return
        for key, circuit in found.items():
            lane = circuit.lane(whose)
            pause = lane.wait(spacing)
            if 0 < pause <= patience:
                self.events.waits_for_turn(request, _where(key), pause=pause, status=circuit.last.status)
            if not await lane.turn(circuit.closed, spacing, patience):
                raise circuit.refusal_of(request, whose)

    def _forget(self, key: str) -> None:
        self._circuits.pop(key).closed.set()


def _where(key: str) -> str:
    """Return what the key of a circuit is about, as it is shown: the URL of a node, or a path."""
    return without_parameters(key.partition(" ")[0])
