"""When there are spans and metrics: with OpenTelemetry and without it, set up before or later, and switched off."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from aiomlcommons.tracing.telemetry import SWITCH, is_wanted
from tests.support.paths import ROOT

CALL = """
import asyncio
from aiomlcommons import HttpResponse, Session

async def respond(request, timeout):
    return HttpResponse(200, b'{"name": "m"}', {"content-type": "application/json"})

ml = Session("http://cluster", transport=respond)

async def call():
    return await ml.models.get("m")

async def calls():
    async with ml:
        await call()
"""
PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))

def names():
    return [span.name for span in exporter.get_finished_spans()]
"""
METER = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
"""


def ran(code: str, **environment: str) -> str:
    """Return what a program prints: a provider can be set only once, so each is a fresh Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, cwd=ROOT, env={**kept, **environment}, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_without_opentelemetry_calls_work() -> None:
    block = (
        "import sys\nfor name in ('', '.trace', '.metrics', '.context'): sys.modules['opentelemetry' + name] = None\n"
    )
    assert ran(f"{block}{CALL}asyncio.run(calls())\nprint('fine')") == "fine"


def test_the_package_never_imports_opentelemetry_by_itself() -> None:
    """So that a program without it pays nothing, and one that has it installed for another library neither."""
    assert ran(f"{CALL}asyncio.run(calls())\nimport sys\nprint('opentelemetry' in sys.modules)") == "False"


def test_the_api_alone_records_nothing_and_nothing_is_made_for_it() -> None:
    code = f"from opentelemetry import metrics, trace{CALL}asyncio.run(calls())\n"
    code += "from aiomlcommons.tracing import telemetry\nprint(telemetry.telemetry(), len(telemetry._Known.idle))"
    assert ran(code) == "None 2"


def test_a_provider_counts_from_the_moment_it_is_set() -> None:
    code = f"""{CALL}{PROVIDER}
async def program():
    async with ml:
        await call()
        trace.set_tracer_provider(provider)
        await call()
    print(names())

asyncio.run(program())
"""
    assert ran(code) == "['models.get']"


def test_a_meter_provider_alone_measures() -> None:
    code = f"{CALL}{METER}asyncio.run(calls())\nprint(reader.get_metrics_data().to_json())"
    assert "db.client.operation.duration" in ran(code)


def test_a_meter_provider_that_is_set_later_than_the_other_measures_from_then() -> None:
    code = f"""{CALL}{PROVIDER}
async def program():
    async with ml:
        trace.set_tracer_provider(provider)
        await call()
        {METER.strip().replace(chr(10), chr(10) + " " * 8)}
        await call()
    print(reader.get_metrics_data().to_json(), names())

asyncio.run(program())
"""
    printed = ran(code)
    assert '"count": 1' in printed
    assert printed.endswith("['models.get', 'models.get']")


def test_a_provider_of_the_api_that_is_set_explicitly_does_no_harm() -> None:
    code = f"{CALL}from opentelemetry import trace\ntrace.set_tracer_provider(trace.NoOpTracerProvider())\n"
    assert ran(f"{code}asyncio.run(calls())\nprint('fine')") == "fine"


def test_an_api_that_is_too_old_is_told_and_harms_no_call() -> None:
    code = f"import logging, sys{CALL}{PROVIDER}trace.set_tracer_provider(provider)\n"
    code += "from opentelemetry.metrics import _internal\n"
    code += "_internal._ProxyMeter.create_histogram = lambda self, name, unit='', description='': None\n"
    code += "logging.basicConfig(stream=sys.stdout, format='%(message)s')\nasyncio.run(calls())\nprint(names())"
    printed = ran(code)
    assert printed.startswith("no spans and no metrics, because opentelemetry-api is older than 1.30: ")
    assert printed.endswith("\n[]")


@pytest.mark.parametrize(("value", "expected"), [("false", "[]"), ("FALSE", "[]"), ("", "['models.get']")])
def test_the_variable_switches_it_off(value: str, expected: str) -> None:
    code = f"{CALL}{PROVIDER}trace.set_tracer_provider(provider)\nasyncio.run(calls())\nprint(names())"
    assert ran(code, **{SWITCH: value}) == expected


@pytest.mark.parametrize(("value", "wanted"), [("true", True), (" True ", True), ("", True), ("false", False)])
def test_true_and_false_are_read_in_any_case(value: str, wanted: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert is_wanted({SWITCH: value}) is wanted
    assert is_wanted({})
    assert not caplog.messages


def test_any_other_value_is_false_as_opentelemetry_asks_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "aiomlcommons")
    assert not is_wanted({SWITCH: "1"})
    assert caplog.messages == [f"{SWITCH} must be true or false, not '1': there are no spans and no metrics"]
