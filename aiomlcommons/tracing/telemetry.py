"""The tracer and the instruments of the package, once the program has set up OpenTelemetry; it is never imported first.

A program that records spans or metrics has imported the API of OpenTelemetry, and set a provider. Until then there is
nothing to tell, so that a look at ``sys.modules`` is all that it costs.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.__about__ import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

log = logging.getLogger("aiomlcommons")

SWITCH = "OTEL_PYTHON_INSTRUMENTATION_AIOMLCOMMONS_ENABLED"
# The last version of the conventions with those of generative AI, which have moved to a repository of their own.
SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
# Both as the conventions advise, in seconds.
CALL_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
MODEL_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_GETTERS = (("opentelemetry.trace", "get_tracer_provider"), ("opentelemetry.metrics", "get_meter_provider"))


class Telemetry:
    """The tracer and the instruments, and what of the API each span needs: those of some providers.

    Default: the providers that the program has set. Raises ImportError or TypeError if the API is missing or too old.
    """

    def __init__(self, tracers: TracerProvider | None = None, meters: MeterProvider | None = None) -> None:
        from opentelemetry import context, metrics, trace

        self.tracer = trace.get_tracer("aiomlcommons", __version__, tracers, SCHEMA)
        self.client, self.internal, self.error = trace.SpanKind.CLIENT, trace.SpanKind.INTERNAL, trace.StatusCode.ERROR
        self.with_span, self.attach, self.detach = trace.set_span_in_context, context.attach, context.detach
        meter = metrics.get_meter("aiomlcommons", __version__, meters, SCHEMA)
        self.call_seconds = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=CALL_BUCKETS,
        )
        self.model_seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=MODEL_BUCKETS,
        )
        self.documents_read = meter.create_counter(
            "aiomlcommons.ingest.documents.read", unit="{document}", description="Documents that jobs have read."
        )
        self.documents_settled = meter.create_counter(
            "aiomlcommons.ingest.documents.settled",
            unit="{document}",
            description="Documents that jobs have written, deduplicated, skipped, or given up as failed.",
        )
        self.requests_retried = meter.create_counter(
            "aiomlcommons.ingest.requests.retried",
            unit="{request}",
            description="Requests to a model that jobs have sent again.",
        )


class _Known:
    """What is known of this process.

    Its telemetry, once it has one; whether it wants none; and the providers that the API has while none are set, each
    with the function that tells the present one.
    """

    telemetry: Telemetry | None = None
    is_unwanted: bool = False
    idle: tuple[tuple[Callable[[], Any], Any], ...] = ()


def telemetry() -> Telemetry | None:
    """Return the tracer and the instruments; None if nobody would see what they tell."""
    if _Known.telemetry is not None:
        return _Known.telemetry
    if _Known.is_unwanted or "opentelemetry" not in sys.modules or not _has_provider():
        return None
    _Known.telemetry = _made() if is_wanted(os.environ) else None
    _Known.is_unwanted = _Known.telemetry is None
    return _Known.telemetry


def _made() -> Telemetry | None:
    try:
        return Telemetry()
    except (ImportError, TypeError, AttributeError) as error:
        # The program may have an older one than the extra asks for, and its calls matter more than their spans.
        log.warning("no spans and no metrics, because opentelemetry-api is older than 1.30: %s", error)
        return None


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether the variable of the package leaves it on: if it is not set, empty, or ``true`` in any case.

    All else means false, as OpenTelemetry asks of every variable.
    """
    value = environ.get(SWITCH, "").strip().lower()
    if value not in {"", "true", "false"}:
        log.warning("%s must be true or false, not %r: there are no spans and no metrics", SWITCH, value)
    return value in {"", "true"}


def _has_provider() -> bool:
    """Return whether the program has set a provider: one of the API's own records nothing."""
    # Each call comes by here, and this is most of what it costs.
    if len(_Known.idle) < len(_GETTERS):
        _Known.idle = tuple(_idle())
    for get, idle in _Known.idle:  # noqa: SIM110 - a generator takes twice as long
        if get() is not idle:
            return True
    return False


def _idle() -> Iterator[tuple[Callable[[], Any], Any]]:
    """Yield how to get the present provider, for what of the API is imported, and it if it is the API's own."""
    for api, getter in _GETTERS:
        if (get := getattr(sys.modules.get(api), getter, None)) is not None:
            provider = get()
            yield get, provider if type(provider).__module__.startswith(api) else None
