"""Over real servers: ``tests/test_contract_hooks.py``."""

from tests.contract import HOOK_CASES, is_fast, on_every_store
from tests.test_contract_hooks import *

POOL = [pair for pair in on_every_store(HOOK_CASES) if not is_fast(*pair)]
