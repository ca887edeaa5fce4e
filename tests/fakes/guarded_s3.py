"""S3 that asks for rights: moto in a process of its own, where each user may do what a policy says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import boto3

BUCKET = "lake"
_CALLS_FOR_A_USER = 3


@dataclass(frozen=True)
class GuardedS3:
    """A running server with one bucket, and the keys of its users.

    :param keys: By user: id and secret.
    """

    url: str
    keys: Mapping[str, tuple[str, str]]

    def environment(self, user: str) -> dict[str, str]:
        """What a client needs in its environment to come here as this user."""
        key_id, secret = self.keys[user]
        return {
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
        }


@contextmanager
def guarded_s3(users: Mapping[str, Mapping[str, Collection[str]]]) -> Iterator[GuardedS3]:
    """Start one.

    :param users: By name: the actions that each may do, by resource.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # That many calls are let through unasked: those that make the bucket and the users.
    unasked = 1 + _CALLS_FOR_A_USER * len(users)
    server = subprocess.Popen(
        [sys.executable, "-c", f"from moto.server import main; main(['-p', '{port}'])"],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(unasked)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, server)
        yield GuardedS3(url, _made(url, users))
    finally:
        server.terminate()
        server.wait()


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("moto's server did not come up within a minute")


def _made(
    url: str, users: Mapping[str, Mapping[str, Collection[str]]]
) -> dict[str, tuple[str, str]]:
    session = boto3.Session("setup", "setup", region_name="us-east-1")
    session.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
    iam = session.client("iam", endpoint_url=url)
    keys = {}
    for user, rights in users.items():
        statements = [
            {"Effect": "Allow", "Action": list(actions), "Resource": resource}
            for resource, actions in rights.items()
            if actions
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName="rights", PolicyDocument=document)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        keys[user] = (made["AccessKeyId"], made["SecretAccessKey"])
    return keys
