"""Over Azurite: ``tests/archive/test_read.py``."""

from tests.archive.test_read import *
