"""Sphinx: the pages of this folder as a site. ``sphinx-build -W docs docs/_build``."""

import re

project = "plimsoll"
author = "The plimsoll authors"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "plimsoll"
myst_heading_anchors = 3
autodoc_typehints = "none"
napoleon_google_docstring = False

_PARAMETER = re.compile(r"^(\s*)(\w+(?:, \w+)*) : (.+)$")


def say_what(_app, _what, _name, _object, _options, lines):
    """``name : description`` in our docstrings is a name and what it is, not a name and its type."""
    lines[:] = [new for line in lines for new in _PARAMETER.sub(r"\1\2\n\1    \3", line).split("\n")]


def setup(app):
    app.connect("autodoc-process-docstring", say_what, priority=400)  # before napoleon
