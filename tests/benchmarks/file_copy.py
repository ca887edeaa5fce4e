"""One file over SFTP and one from S3: into the archive on disk, beside clients that only copy.

Every contender copies in a process of its own that has started, imported what it needs, and copied four
bytes before: what is measured is the copy, not Airflow's start. The archive also hashes, fsyncs and commits;
the others do none of it, and leave the file in the system's cache. Each client has its own default cipher.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.measured import Figure, medians, report

SIZE_BYTES: Final = 256 << 20
ROUNDS: Final = 3
PROMISE: Final = 0.8
"""Of the speed of the fastest client that only copies."""
HEADER: Final = (
    "256 MiB",
    "copied by",
    "MiB/s",
    "of the fastest that only copies",
    "peak MiB above the start",
)
_OVER_SFTP: Final = ("the program sftp", "asyncssh", "SFTPHook (paramiko)", "archive, SFTP")
_FROM_S3: Final = ("obstore", "boto3", "archive, S3")


def main() -> dict[str, dict[str, Figure]]:
    """Run every contender in turn; medians by protocol and contender."""
    from tests.servers.moto import started as moto
    from tests.servers.sshd import started as sshd

    with sshd() as ssh, moto() as s3, tempfile.TemporaryDirectory() as scratch:
        block = os.urandom(1 << 20)
        with (ssh.folder / "large.bin").open("wb") as file:
            for _ in range(SIZE_BYTES >> 20):
                file.write(block)
        (ssh.folder / "small.bin").write_bytes(b"warm")
        bucket = s3.server.new_bucket()
        client = s3.server.client()
        client.upload_file(str(ssh.folder / "large.bin"), bucket, "large.bin")
        client.put_object(Bucket=bucket, Key="small.bin", Body=b"warm")
        aws = {"endpoint_url": s3.server.url, "region_name": "us-east-1"}
        shared = {
            "AIRFLOW_HOME": scratch,
            "AIRFLOW_CONN_SFTP": ssh.connection(),
            "AIRFLOW_CONN_S3": json.dumps(
                {"conn_type": "aws", "login": "testing", "password": "testing", "extra": aws}
            ),
            "SFTP_PORT": str(ssh.port),
            "SFTP_KEY": str(ssh.key_file),
            "SFTP_FILE": str(ssh.folder / "large.bin"),
            "S3_URL": s3.server.url,
            "S3_BUCKET": bucket,
            "SCRATCH": scratch,
        }
        return {
            protocol: medians(
                "tests.benchmarks.file_copy", contenders, rounds=ROUNDS, environment=shared
            )
            for protocol, contenders in (("SFTP", _OVER_SFTP), ("S3", _FROM_S3))
        }


def rows(figures: Mapping[str, Mapping[str, Figure]]) -> list[tuple[str, ...]]:
    """The figures as the site shows them."""
    return [
        (
            protocol,
            name,
            f"{(SIZE_BYTES >> 20) / row.seconds:.0f}",
            f"{_fastest(those) / row.seconds:.2f}",
            f"{row.rise_mib:.0f}",
        )
        for protocol, those in figures.items()
        for name, row in those.items()
    ]


def broken(figures: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """Each promise that does not hold, in words."""
    return [
        f"{name}: promised {PROMISE} of the fastest client that only copies"
        for those in figures.values()
        for name, row in those.items()
        if name.startswith("archive") and _fastest(those) < PROMISE * row.seconds
    ]


def _fastest(those: Mapping[str, Figure]) -> float:
    return min(row.seconds for name, row in those.items() if not name.startswith("archive"))


def _by_program(into: Path) -> None:
    options = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-q"]
    where = f"{getpass.getuser()}@127.0.0.1:{os.environ['SFTP_FILE']}"
    port = ["-P", os.environ["SFTP_PORT"], "-i", os.environ["SFTP_KEY"]]
    command = ["sftp", *options, *port, where, str(into)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _by_asyncssh(into: Path) -> None:
    import asyncssh

    async def copy() -> None:
        async with (
            asyncssh.connect(
                "127.0.0.1",
                int(os.environ["SFTP_PORT"]),
                client_keys=[os.environ["SFTP_KEY"]],
                known_hosts=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            await client.get(os.environ["SFTP_FILE"], str(into))

    asyncio.run(copy())


def _by_hook(into: Path) -> None:
    from airflow.providers.sftp.hooks.sftp import SFTPHook

    SFTPHook("sftp").retrieve_file(os.environ["SFTP_FILE"], str(into))


def _by_obstore(into: Path) -> None:
    from obstore.store import S3Store

    store = S3Store(
        os.environ["S3_BUCKET"],
        endpoint=os.environ["S3_URL"],
        region="us-east-1",
        access_key_id="testing",
        secret_access_key="testing",
        client_options={"allow_http": True},
    )
    with into.open("wb") as file:
        for chunk in store.get("large.bin").stream(min_chunk_size=4 << 20):
            file.write(chunk)


def _by_boto3(into: Path) -> None:
    import boto3
    from boto3.s3.transfer import TransferConfig

    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    # As one request: the server of the test takes long for each of many ranges.
    once = TransferConfig(multipart_threshold=SIZE_BYTES + 1)
    client.download_file(os.environ["S3_BUCKET"], "large.bin", str(into), Config=once)


def _archived(
    into: Path,
    files: str = "large.bin",
    **arguments: Any,  # Any: the operator's own
) -> None:
    from airflow.sdk import DAG

    from platform_ops.sources.files import ArchivingObjectStoreOperator, ArchivingSftpOperator
    from platform_ops.testing.runner import run_task

    operator = (
        ArchivingSftpOperator if "sftp_conn_id" in arguments else ArchivingObjectStoreOperator
    )
    os.environ["PLATFORM_OPS__ARCHIVE__ROOT"] = f"file://{into}"
    os.environ["PLATFORM_OPS__ARCHIVE__INDEX"] = f"{into}-index"
    with DAG("benchmark"):
        task = operator(task_id="take", entity="benchmark.large", files=files, **arguments)
    result = run_task(task, at="2015-12-01")
    if result.state != "success":
        raise SystemExit(repr(result.error))


def _archived_from_sftp(into: Path, files: str = "large.bin") -> None:
    folder = str(Path(os.environ["SFTP_FILE"]).parent)
    _archived(into, files, sftp_conn_id="sftp", folder=folder)


def _archived_from_s3(into: Path, files: str = "large.bin") -> None:
    _archived(into, files, conn_id="s3", folder=f"s3://{os.environ['S3_BUCKET']}")


_CONTENDERS: Final[Mapping[str, Callable[[Path], None]]] = {
    "the program sftp": _by_program,
    "asyncssh": _by_asyncssh,
    "SFTPHook (paramiko)": _by_hook,
    "archive, SFTP": _archived_from_sftp,
    "obstore": _by_obstore,
    "boto3": _by_boto3,
    "archive, S3": _archived_from_s3,
}


def _child(name: str) -> None:
    import asyncssh  # noqa: F401  # what each of them imports is not what is measured
    import boto3  # noqa: F401
    from airflow.providers.sftp.hooks.sftp import SFTPHook  # noqa: F401
    from obstore.store import S3Store  # noqa: F401

    import platform_ops.sources.files
    import platform_ops.sources.folders.objects
    import platform_ops.sources.folders.sftp
    import platform_ops.testing.runner  # noqa: F401

    with tempfile.TemporaryDirectory(dir=os.environ["SCRATCH"]) as folder:
        into = Path(folder) / "copy"
        if name.startswith("archive"):  # the task runner once, on four bytes
            warm = _archived_from_sftp if "SFTP" in name else _archived_from_s3
            warm(Path(folder) / "warm", "small.bin")
        report(lambda: _CONTENDERS[name](into))
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir(exist_ok=True)


if __name__ == "__main__":
    _child(sys.argv[1])
