"""Cross-references: those to names of this package must lead somewhere; those to other libraries are plain words.

Some of it is for speed: Sphinx would look for a short name among all the thousands of them, and copies the whole menu,
with every attribute of every class, for each page.
"""

from __future__ import annotations

import sys

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

from building import public

# Objects that the menu of a page names; the attributes of classes it does not.
IN_MENU = {"class", "exception", "function", "method", "data", "property"}


def connect(app: Sphinx) -> None:
    """Let Sphinx ask for what it cannot resolve, and see the names that only type checkers see."""
    app.connect("builder-inited", _complete)
    app.connect("doctree-read", _shorten_menu, priority=100)  # before Sphinx makes the menu of it
    app.connect("missing-reference", _found)
    app.add_post_transform(Foreign)


def _complete(_: Sphinx) -> None:
    for name in ("", *public.PACKAGES, *public.api_modules(), *public.integration_modules()):
        public.import_all(name)
    for name in [name for name in sys.modules if name.startswith("aiomlcommons.")]:
        public.complete(name)


def _shorten_menu(_: Sphinx, tree: nodes.document) -> None:
    for described in tree.findall(addnodes.desc):
        within = isinstance(described.parent, addnodes.desc_content)
        if within or described.get("objtype") not in IN_MENU:
            for signature in described.findall(addnodes.desc_signature):
                signature["_toc_name"] = ""


class Foreign(SphinxPostTransform):
    """Replaces references to other libraries by their words, before anything looks for them.

    A short name is one at the root of the package, or no reference: several classes are called ``Plan``.
    """

    default_priority = 5

    def run(self, **_: object) -> None:
        """Replace them."""
        known = self.env.domains.python_domain.objects
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node.get("refdomain") != "py":
                continue
            target = node.get("reftarget", "")
            if "." not in target and f"aiomlcommons.{target}" in known:
                node["reftarget"] = f"aiomlcommons.{target}"
            elif not target.startswith("aiomlcommons."):
                node.replace_self(_words(node))


def _words(node: addnodes.pending_xref) -> list[nodes.Node]:
    # Of a short and a long name for one reference, the short one.
    conditions = [one for one in node.children if isinstance(one, addnodes.pending_xref_condition)]
    chosen = next((one for one in conditions if one.get("condition") == "resolved"), None)
    return list(chosen.children if chosen is not None else node.children)


def _found(
    _: Sphinx, __: BuildEnvironment, node: addnodes.pending_xref, words: nodes.TextElement
) -> nodes.Element | None:
    """Return the words of a reference that leads nowhere, if what it names exists; else None, which is a warning."""
    if node.get("refdomain") != "py":
        return None
    target = node.get("reftarget", "")
    return None if target.startswith("aiomlcommons.") and not _exists(target) else words


def _exists(target: str) -> bool:
    module, _, name = target.rpartition(".")
    return hasattr(sys.modules.get(module), name)
