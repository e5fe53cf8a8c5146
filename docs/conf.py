"""The site: ``python -m sphinx -W docs build/docs``. It needs no network, neither to build nor to read."""

import sys
from pathlib import Path

import gegenflow

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import gallery  # noqa: E402
import pages  # noqa: E402
import papers  # noqa: E402
import references  # noqa: E402

project = "gegenflow"
author = copyright = "The gegenflow authors"
version = release = gegenflow.__version__.split("+")[0]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",
]
exclude_patterns = ["build"]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes = False  # "usa" is a text as Python has it

nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike", "Attention")}
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"gegenflow {version}"
html_copy_source = False
html_show_copyright = False


def write(app):
    """The pages that the sources make."""
    for maker in (pages, gallery, papers):
        maker.write(HERE)


def setup(app):
    """Pages made from the sources, signatures as they are written there, and links to where a name is described."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-signature", references.signature)
    app.connect("missing-reference", references.elsewhere)
