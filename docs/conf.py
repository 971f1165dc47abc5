"""The site of vpump, made by Sphinx from the Markdown of this directory; `scripts/site` builds it."""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from emulator import VERSION

project = "vpump"
release = VERSION
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["foreign"]
myst_heading_anchors = 4
# On a page that is read as Markdown a diagram is a fence, too.
myst_fence_as_directive = ["mermaid"]
html_theme = "alabaster"
html_theme_options = {
    "description": "The software stand-in for an implanted intrathecal drug pump",
    "page_width": "1100px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html", "relations.html"]}
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Fences that tests read have languages of their own; to a reader they are plain text."""
    app.add_lexer("figures", TextLexer)
