"""vsftpd with a password of its own: an anonymous login whose "address" must stand in a list.

So it needs neither an account of the machine nor PAM. It speaks FTP, and FTPS on the same port; as most
servers do, it wants data connections within the session of the login.

Source: https://security.appspot.com/vsftpd/vsftpd_conf.html
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.servers.program import Home, free_port, listens, program

__all__ = ["Vsftpd", "started"]

PASSWORD = "hunter2-password"


@dataclass(frozen=True)
class Vsftpd:
    """A running server.

    :param folder: What it serves, as its root, in which it lets nobody write: make a folder there.
    :param certificate: That of FTPS, which is its own authority: a client trusts it by this file.
    """

    port: int
    folder: Path
    certificate: Path
    log: Path

    def connection(
        self, kind: str = "ftp", port: int | None = None, **changes: Any
    ) -> str:  # Any: JSON values
        """An Airflow connection as JSON, perhaps by way of a proxy on another port."""
        fields = {
            "conn_type": kind,
            "host": "127.0.0.1",
            "port": port or self.port,
            "login": "anonymous",
            "password": PASSWORD,
        }
        return json.dumps({**fields, **changes})

    def new_folder(self, name: str) -> Path:
        """A folder there in which everybody may write."""
        made = self.folder / name
        made.mkdir()
        made.chmod(0o777)
        return made

    def reads(self, below: str) -> int:
        """How many files below a folder were asked for so far."""
        text = self.log.read_text("utf-8", "replace")
        return len(re.findall(rf'FTP command: Client "[^"]*", "RETR {re.escape(below)}/', text))


@contextmanager
def started(**options: object) -> Iterator[Vsftpd]:
    """Run it until the block ends.

    :param options: Settings beside those that it needs here.
    """
    server = program("VSFTPD", "vsftpd", "vsftpd")
    with tempfile.TemporaryDirectory(prefix="vsftpd-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        for each in ("served", "empty"):
            (folder / each).mkdir()
        (folder / "served").chmod(0o755)
        (folder / "passwords").write_text(f"{PASSWORD}\n")
        certificate = _new_certificate(folder)
        settings: dict[str, object] = {
            "listen": "YES",
            "background": "NO",
            "listen_address": "127.0.0.1",
            "listen_port": port,
            "anonymous_enable": "YES",
            "anon_root": folder / "served",
            "secure_email_list_enable": "YES",
            "email_password_file": folder / "passwords",
            "write_enable": "YES",
            "anon_upload_enable": "YES",
            "anon_mkdir_write_enable": "YES",
            "anon_other_write_enable": "YES",
            "anon_world_readable_only": "NO",
            "allow_writeable_chroot": "YES",
            "secure_chroot_dir": folder / "empty",
            "seccomp_sandbox": "NO",
            "isolate": "NO",
            "isolate_network": "NO",
            "ssl_enable": "YES",
            "allow_anon_ssl": "YES",
            "rsa_cert_file": certificate,
            "rsa_private_key_file": folder / "key.pem",
            "xferlog_enable": "YES",
            "log_ftp_protocol": "YES",
            "vsftpd_log_file": folder / "protocol",
            **options,
        }
        if os.geteuid() == 0:
            # It enters that user's home before anon_root: nobody has none.
            settings |= {"ftp_username": "daemon", "nopriv_user": "nobody"}
        else:
            settings["run_as_launching_user"] = "YES"
        config = folder / "vsftpd.conf"
        (folder / "protocol").touch()
        config.write_text("".join(f"{each}={value}\n" for each, value in settings.items()))
        with Home(folder).started([server, config], lambda: listens(port)):
            yield Vsftpd(port, folder / "served", certificate, folder / "protocol")


def _new_certificate(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vsftpd of the tests")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, plain, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    return folder / "certificate.pem"
