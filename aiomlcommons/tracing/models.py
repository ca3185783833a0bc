"""The span of what a model is asked, by the conventions for clients of generative AI.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from aiomlcommons.tracing.spans import Span, Value, plain
from aiomlcommons.tracing.telemetry import Telemetry, telemetry

P = ParamSpec("P")
R = TypeVar("R")
# The cluster is who is asked, whoever provides its model.
PROVIDER = "opensearch"


def asks_model(
    operation: str,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Return a decorator of a method that asks a model, which its argument ``model_id`` names, for ``operation``.

    The requests that it sends are children of its span.
    """

    def decorate(method: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @wraps(method)
        async def traced(*args: P.args, **kwargs: P.kwargs) -> R:
            found = telemetry()
            if found is None:
                return await method(*args, **kwargs)
            with _span(found, operation, _model(args, kwargs)) as span:
                result = await method(*args, **kwargs)
                span.put({"gen_ai.embeddings.dimension.count": _dimension(result)})
                return result

        return traced

    return decorate


def _model(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    """Return the argument ``model_id`` of a method, which comes after ``self``."""
    return args[1] if len(args) > 1 else kwargs.get("model_id")


def _span(found: Telemetry, operation: str, model: object) -> Span:
    known: dict[str, Value] = {"gen_ai.operation.name": operation, "gen_ai.provider.name": PROVIDER}
    if not isinstance(model, str):  # which the method itself will refuse
        return Span(found, operation, known, is_client=True, seconds=found.model_seconds)
    known["gen_ai.request.model"] = name = plain(model)
    return Span(found, f"{operation} {name}", known, is_client=True, seconds=found.model_seconds)


def _dimension(result: object) -> int | None:
    """Return the dimension of the vectors in an array of them; None for what is no such array."""
    shape: Any = getattr(result, "shape", ())
    return int(shape[1]) if len(shape) == 2 else None
