"""How the lessons look as a book. `python tests/tools/pages.py OUT` writes its pages with this."""

import tomllib
from operator import methodcaller
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import avlib

_PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
_REPOSITORY = _PROJECT["project"]["urls"]["Repository"]

project = "Seeing and hearing emotion"
release = avlib.__version__
language = "en"
extensions = ["myst_nb"]

# The lessons were run before; what they showed is all there is.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
myst_heading_anchors = 3
myst_heading_slug_func = methodcaller("replace", " ", "-")  # as Jupyter names headings

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["lessons.css"]
html_copy_source = False
html_use_index = False
html_theme_options = {
    "repository_url": _REPOSITORY,
    "repository_branch": f"v{release}",
    "path_to_docs": "notebooks",
    "use_repository_button": True,
    "use_download_button": False,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "show_toc_level": 2,
    "footer_content_items": ["extra-footer"],
    "extra_footer": "Lesson text: CC BY 4.0, the avlib authors. Code: MIT licence.",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}


def _write_math(translator: nodes.NodeVisitor, node: nodes.Element) -> None:
    """A formula as MathML, which browsers draw themselves: no script, no font to fetch."""
    translator.body.append(tex2mathml(node.astext(), isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register it."""
    app.add_html_math_renderer("mathml", (_write_math, None), (_write_math, None))
