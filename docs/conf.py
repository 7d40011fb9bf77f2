"""Sphinx: the pages of this folder as a site. ``sphinx-build -W docs docs/_build``."""

project = "plimsoll"
author = "The plimsoll authors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "plimsoll"
myst_heading_anchors = 3
