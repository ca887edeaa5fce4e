"""Peak memory is flat from 1 MiB to 4 GiB, whatever way the bytes are stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.archive.places import Disk
from tests.archive.test_memory import peak_mib

SIZES_MIB = (16, 4096)


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_four_gigabytes_take_no_more_memory_than_sixteen_megabytes(
    tmp_path: Path, codec: str
) -> None:
    peaks = {size: peak_mib(Disk(tmp_path), size, codec) for size in (1, *SIZES_MIB)}
    shutil.rmtree(tmp_path)
    assert peaks[4096] <= peaks[16] + 8, peaks
    assert peaks[4096] <= peaks[1] + 40, peaks
