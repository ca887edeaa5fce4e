"""Over Azurite: ``tests/archive/test_store_crashes.py``."""

from tests.archive.conftest import bucket, proxy
from tests.archive.test_store_crashes import *
from tests.integration.azure.conftest import object_server

__all__ = ["bucket", "object_server", "proxy"]
