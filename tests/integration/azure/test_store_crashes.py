"""Over Azurite: ``tests/archive/test_store_crashes.py``."""

from tests.archive.test_store_crashes import *
from tests.integration.azure.conftest import server

__all__ = ["server"]
