"""One case for each registered operator and hook: the contract suite runs over all of them.

An operator or hook that is registered and has no case here fails the suite by name. Each module below
holds the cases of one system.
"""

from tests.contract import files, http, kafka, mail, sql
from tests.contract.case import Case, HookCase

_SYSTEMS = (files, http, kafka, mail, sql)

CASES: tuple[Case, ...] = tuple(case for system in _SYSTEMS for case in system.CASES)
HOOK_CASES: tuple[HookCase, ...] = tuple(case for system in _SYSTEMS for case in system.HOOK_CASES)
