"""What must hold up there."""

from collections import namedtuple

Rule = namedtuple("Rule", "id title why severity")

RULES = [Rule("ATT1", "Box without a label", "Nobody finds anything.", "error")]
