"""The synchronous face of the package: ``from aiomlcommons.blocking import Session``.

Every call runs the async session on an event loop in a thread of its own, so there is no second implementation. It
works in scripts, in threads, and in a notebook. ``__init__.pyi`` has its types, which ``make docs`` writes from those
of the async session.
"""

from __future__ import annotations

from aiomlcommons.blocking._session import Session

__all__ = ["Session"]
