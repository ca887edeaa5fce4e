"""Over real servers: ``tests/test_contract_hooks.py``."""

from tests.contract import HOOK_CASES
from tests.test_contract_hooks import *

POOL = [case for case in HOOK_CASES if case.servers]
