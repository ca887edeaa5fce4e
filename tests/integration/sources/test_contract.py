"""Over real servers: ``tests/test_contract.py``."""

from tests.contract import CASES
from tests.test_contract import *

POOL = [case for case in CASES if case.servers]
