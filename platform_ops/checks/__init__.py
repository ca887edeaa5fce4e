"""Whether a body is what it is said to be, told while its bytes go by, in constant memory.

A check is fed what is archived anyhow. It reads nothing twice, holds one record at most, and finds a tail
that is cut off as well as a fault at the beginning.
"""

from platform_ops.checks.formats import FORMATS, Format, check_of, format_of
from platform_ops.checks.model import Check, Malformed

__all__ = ["FORMATS", "Check", "Format", "Malformed", "check_of", "format_of"]
