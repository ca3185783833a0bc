"""Sphinx's configuration of the documentation site: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from building import drawings, references, shown
from sphinx.application import Sphinx

from aiomlcommons import __version__

project = "aiomlcommons"
author = "the authors of aiomlcommons"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "building"]
nitpicky = True

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # as GitHub makes them, so that a link to a heading works in both places

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_display_short_literal_types = True
maximum_signature_line_length = 88  # longer ones have a line for each parameter
toc_object_entries_show_parents = "hide"
napoleon_use_rtype = False
napoleon_use_ivar = True  # autodoc lists the attributes themselves
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "aiomlcommons"
html_favicon = "_static/favicon.svg"
pygments_dark_style = "github-dark"  # the default underlines the modules of imports, as if they were links
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
copybutton_exclude = ".linenos, .gp, .go"


def read_source(_: Sphinx, page: str, source: list[str]) -> None:
    """Let links to files outside of ``docs`` lead to the pages of these."""
    if (Path(__file__).parent / f"{page}.md").exists():
        source[0] = shown.linked(source[0], f"docs/{page}.md", f"{page}.md")


def setup(app: Sphinx) -> None:
    """Connect what Sphinx calls."""
    app.connect("source-read", read_source)
    references.connect(app)
    drawings.connect(app)
