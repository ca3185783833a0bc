"""Spans and metrics for OpenTelemetry, if the program uses it. docs/tracing.md lists them."""
