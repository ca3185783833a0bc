"""What is said where a framework is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(package: str, extra: str) -> Iterator[None]:
    """Surround the imports of a package with an ImportError that names the extra which installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"aiomlcommons.integrations.{extra.replace('-', '_')} needs {package} ({error}): "
            f'pip install "aiomlcommons[{extra}]"'
        ) from error
