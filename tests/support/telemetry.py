"""What the package tells OpenTelemetry, recorded in memory, and shown as a tree of spans and a list of metrics."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from aiomlcommons.tracing import telemetry

Attributes = Mapping[str, Any]


@attrs.frozen
class Recorded:
    """The spans that have ended, in the order of their beginning, and the metrics."""

    tracers: TracerProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of a name, or of one that begins with it and a space."""
        return [span for span in self.spans if span.name == name or span.name.startswith(f"{name} ")]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (span,) = self.named(name)
        return span

    def children(self, of: ReadableSpan | None) -> list[ReadableSpan]:
        """Return the spans whose parent is a span; those without a parent for None."""
        number = None if of is None or of.context is None else of.context.span_id
        return [span for span in self.spans if (span.parent.span_id if span.parent else None) == number]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> list[tuple[Attributes, Any]]:
        """Return the attributes of each point of a metric, and its sum or count."""
        return [
            (dict(point.attributes or {}), getattr(point, "value", None) or getattr(point, "count", 0))
            for point in self.metrics[name].data.data_points
        ]

    def shown(self) -> Iterator[str]:
        """Yield the spans as an indented tree, and the metrics, one a line."""
        yield from self._tree(None, 0)
        for name in self.metrics:
            for attributes, number in self.points(name):
                yield f"{name} = {number:,} {_words(attributes)}"

    def _tree(self, parent: ReadableSpan | None, depth: int) -> Iterator[str]:
        indent = "    " * depth
        for span in self.children(parent):
            status = "" if span.status.is_unset else f" {span.status.status_code.name}: {span.status.description}"
            yield f"{indent}{span.kind.name} {span.name!r}{status}"
            yield f"{indent}  {_words(span.attributes or {})}"
            for event in span.events:
                yield f"{indent}  * {event.name} {_words(event.attributes or {})}"
            yield from self._tree(span, depth + 1)


def _words(attributes: Attributes) -> str:
    return " ".join(f"{name}={value}" for name, value in attributes.items())


@contextmanager
def recorded(sampler: Sampler = ALWAYS_ON, *, metrics: bool = True) -> Generator[Recorded]:
    """Record what the package tells meanwhile, as if the program had set these providers."""
    found = Recorded(TracerProvider(sampler=sampler), InMemorySpanExporter(), InMemoryMetricReader())
    found.tracers.add_span_processor(SimpleSpanProcessor(found.exporter))
    meters = MeterProvider([found.reader])
    with pytest.MonkeyPatch.context() as patch:
        made = telemetry.Telemetry(found.tracers, meters if metrics else None)
        patch.setattr(telemetry._Known, "telemetry", made)
        try:
            yield found
        finally:
            meters.shutdown()
            found.tracers.shutdown()
