"""A disk that runs full, as the kernel says it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """``write(2)`` takes one MiB in all below the archive, and then has no space left."""
    real, left = os.write, [1 << 20]

    def write(descriptor: int, data: bytes) -> int:
        if ".tmp" not in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            return real(descriptor, data)
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = real(descriptor, data[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", write)
