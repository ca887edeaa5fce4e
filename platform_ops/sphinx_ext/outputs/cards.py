"""OpenGraph tags and a picture for whoever shares a page's link, where the site knows its own address.

Both come from ``sphinxext.opengraph``, which is told that address once, as ``html_baseurl``: without an
absolute address no other site can show a page. It draws by matplotlib, and each picture again only when
its words have changed.

Source: https://ogp.me and https://sphinxext-opengraph.readthedocs.io
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

__all__ = ["connect"]


def connect(app: Sphinx) -> None:
    """Load the extension where it is installed, and there is something for it to say."""
    if app.config.html_baseurl and find_spec("sphinxext.opengraph"):
        app.setup_extension("sphinxext.opengraph")
        app.connect("config-inited", _tell_address)


def _tell_address(app: Sphinx, config: Config) -> None:  # Sphinx's signature
    config.ogp_site_url = config.ogp_site_url or config.html_baseurl
