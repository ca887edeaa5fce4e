"""Over Azurite: ``tests/archive/test_commit.py``."""

from tests.archive.test_commit import *
