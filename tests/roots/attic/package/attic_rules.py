"""What must hold up there."""

from collections import namedtuple

Rule = namedtuple("Rule", "id title why severity bad good fix options", defaults=("",) * 4)

RULES = [
    Rule("ATT1", "Box without a label", "Nobody finds anything.", "error"),
    Rule(
        "ATT2",
        "Box that is too high",
        "It does not fit below the *roof*.",
        "warning",
        bad='box = Box(\n    label="lamps",\n    height_cm=300,\n)',
        good='box = Box(\n    label="lamps",\n    height_cm=80,\n)',
        fix="cut it",
        options="[attic]\nroof_cm = 240",
    ),
]
