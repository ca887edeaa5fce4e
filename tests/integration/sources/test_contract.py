"""Over real servers: ``tests/test_contract.py``."""

from tests.contract import CASES, is_fast, on_every_store
from tests.test_contract import *

POOL = [pair for pair in on_every_store(CASES) if not is_fast(*pair)]
