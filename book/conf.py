"""Sphinx's settings for the course site; ``course book`` assembles the pages and runs Sphinx on them."""

from sphinx.application import Sphinx

from course_utils import __version__

project = "Phase Change"
author = "Phase Change contributors"
copyright = "Phase Change contributors. Text and figures CC BY 4.0, code MIT"
release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "course_utils.book.api_look",
    "sphinx.ext.mathjax",
    "sphinx_design",
    "course_utils.book.terms",
]
exclude_patterns = ["_static", "teaching_grading.md"]

# Chapters come with their outputs: course_utils.book.executed ran them.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # the default names a script on another host; no page has widgets
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The reference shows signatures as the source writes them.
default_role = "code"
add_module_names = False
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 78
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
napoleon_use_param = False
napoleon_custom_sections = [("Attributes", "params_style")]

# One file that needs no other: formulas are drawn with the network closed.
mathjax_path = "vendor/mathjax/tex-svg-full.js"
mathjax3_config = {
    "startup": {"typeset": True},
    "options": {"enableMenu": False, "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area"},
}

html_theme = "sphinx_book_theme"
html_title = "Phase Change"
html_static_path = ["_static"]
html_css_files = ["style.css", "api.css"]
html_js_files = ["page.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_search_summary = False  # excerpts are fetched, which a browser refuses for files
html_domain_indices = False
html_use_index = False  # the reference has a page of its own, and search
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_toc_level": 2,
    "collapse_navbar": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": False,
    "navbar_persistent": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def add_figures(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    """Plotly is large; only pages with figures load it."""
    if 'class="plot"' in context.get("body", ""):
        app.add_js_file("plotly.min.js", defer="defer")
        app.add_js_file("figures.js", defer="defer")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", add_figures)
