"""A Sphinx extension that lets readers change to another published version of the site.

One line in ``conf.py`` is enough, and Furo shows it at the foot of its sidebar::

    extensions = ["platform_ops.sphinx_ext.switcher"]

Other themes name ``version-switcher.html`` in ``html_sidebars``. The pages ask for
``../versions.json``, which :mod:`platform_ops.sphinx_ext.publish` writes; where there is none, or no
JavaScript, they show their own version.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]

_HERE = Path(__file__).parent


def _add_folders(_app: Sphinx, config: Config) -> None:
    # Last: a site's own template or file of the same name wins, and ours wins over the theme's.
    config.templates_path.append(str(_HERE / "templates"))
    config.html_static_path.append(str(_HERE / "static"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the fragment, its script and its style with Sphinx."""
    app.connect("config-inited", _add_folders)
    app.add_js_file("version-switcher.js", loading_method="defer")
    app.add_css_file("version-switcher.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
