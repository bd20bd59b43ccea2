"""How the documentation is built: `sphinx-build -W docs build/docs`, without network."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "membatch"
version = release = version_of("membatch")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns: list[str] = ["formats-intro.md"]
nitpicky = False

html_theme = "furo"
html_title = f"membatch {version}"
html_show_sphinx = False
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
# Pages may link to files of the repository, which are not part of the site.
myst_all_links_external = False

# Docstrings are plain prose: a single backtick marks code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
add_module_names = False
maximum_signature_line_length = 80

copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
