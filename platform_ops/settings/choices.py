"""Words that a setting, an operator or a session may be given: a DAG file needs them without the model."""

from __future__ import annotations

from typing import Literal

__all__ = ["Codec", "Encryption", "Mode", "OnExisting", "Reaction"]

OnExisting = Literal["revise", "reuse", "fail"]
Mode = Literal["auto", "refetch", "replay"]
Codec = Literal["none", "gzip", "zstd"]
Reaction = Literal["fail", "warn", "skip", "accept"]
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
