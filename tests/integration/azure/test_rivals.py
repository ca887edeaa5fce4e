"""Over Azurite: ``tests/archive/test_rivals.py``."""

from tests.archive.test_rivals import *
from tests.integration.azure.conftest import place

__all__ = ["place"]
