"""Needs what is not installed."""

import a_library_that_nobody_has


class Lost(a_library_that_nobody_has.Base):
    """Cannot be imported."""
