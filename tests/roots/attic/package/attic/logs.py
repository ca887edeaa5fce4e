"""What is written down."""

import logging


class AtticLog(logging.Handler):
    """Writes on the wall."""
