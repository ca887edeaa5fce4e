"""Over Azurite: ``tests/archive/test_damage.py``."""

from tests.archive.test_damage import *
