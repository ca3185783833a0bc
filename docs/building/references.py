"""Cross-references: those to names of this package must lead somewhere; those to other libraries are plain words."""

from __future__ import annotations

import sys

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from building import public


def connect(app: Sphinx) -> None:
    """Let Sphinx ask for what it cannot resolve, and see the names that only type checkers see."""
    app.connect("missing-reference", _found)
    app.connect("builder-inited", _complete)


def _complete(_: Sphinx) -> None:
    for name in ("", *public.PACKAGES, *public.api_modules(), *public.integration_modules()):
        public.import_all(name)
    for name in [name for name in sys.modules if name.startswith("aiomlcommons.")]:
        public.complete(name)


def _found(_: Sphinx, __: BuildEnvironment, node: pending_xref, words: nodes.TextElement) -> nodes.Element | None:
    """Return the words of a reference that leads nowhere, if what it names exists; else None, which is a warning."""
    if node.get("refdomain") != "py":
        return None
    target = node.get("reftarget", "")
    return None if target.startswith("aiomlcommons.") and not _exists(target) else words


def _exists(target: str) -> bool:
    module, _, name = target.rpartition(".")
    return hasattr(sys.modules.get(module), name)
