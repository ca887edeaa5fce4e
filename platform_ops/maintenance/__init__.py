"""Keeping the archive on Airflow's own workers: by shards, on request, and in copies elsewhere."""

from platform_ops.maintenance.copies import ArchiveExportOperator, ArchiveWitnessOperator
from platform_ops.maintenance.requests import (
    ArchiveEraseOperator,
    ArchiveHoldOperator,
    ArchiveReleaseOperator,
)
from platform_ops.maintenance.shards import (
    ArchiveExpireOperator,
    ArchiveShardsOperator,
    ArchiveSweepOperator,
    ArchiveVerifyOperator,
)

__all__ = [
    "ArchiveEraseOperator",
    "ArchiveExpireOperator",
    "ArchiveExportOperator",
    "ArchiveHoldOperator",
    "ArchiveReleaseOperator",
    "ArchiveShardsOperator",
    "ArchiveSweepOperator",
    "ArchiveVerifyOperator",
    "ArchiveWitnessOperator",
]
