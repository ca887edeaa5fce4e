"""``[archive]``: where revisions live."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from platform_ops.settings.choices import Encryption, OnExisting
from platform_ops.settings.section import Section
from platform_ops.url_scheme import DEFAULT_TEMPLATE, Template

__all__ = ["ArchiveSettings"]


def _checked_template(text: str) -> str:
    Template.compile(text)
    return text


def _checked_root(text: str) -> str:
    if re.match(r"(az|abfss?)://[^/]*@", text):
        raise ValueError(
            f"{text!r}: the account belongs in archive.connection or AZURE_STORAGE_ACCOUNT_NAME; "
            "write abfs://container/prefix"
        )
    if not re.match(r"(file:///+[^/]|(s3|gs|az|abfss?)://[^/@]+(/|$))", text):
        raise ValueError(
            f"{text!r} is no archive root; write file:///absolute/folder, s3://bucket/prefix, "
            "gs://bucket/prefix or abfs://container/prefix"
        )
    return text.rstrip("/")


def _default_index() -> str:
    home = os.environ.get("AIRFLOW_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(Path(home).absolute() / "archive-index" if home else cache / "platform-ops")


def _default_root() -> str:
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return f"file://{Path(home).absolute() / 'archive'}"


class ArchiveSettings(Section):
    """``[archive]``: where revisions live, and what happens to a slot that is filled already."""

    root: Annotated[str, AfterValidator(_checked_root)] = Field(
        default_factory=_default_root,
        description=(
            "URL of the folder or bucket prefix that holds the archive: ``file:///…``, ``s3://…``, "
            "``gs://…`` or ``abfs://…``."
        ),
        json_schema_extra={"default_text": "file://$AIRFLOW_HOME/archive"},
    )
    template: Annotated[str, AfterValidator(_checked_template)] = Field(
        DEFAULT_TEMPLATE,
        description="URL template of a slot's folder. Old revisions stay readable after a change.",
    )
    connection: str | None = Field(
        None,
        description=(
            "Airflow connection with the credentials of the root; the environment's are used without."
        ),
    )
    encryption: Encryption | None = Field(
        None,
        description=(
            "How Amazon S3 encrypts what is written: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``. As the "
            "bucket does by itself where unset; other stores know no other way."
        ),
    )
    kms_key: str | None = Field(
        None,
        description="Id, alias or ARN of the key for ``aws:kms``; the account's own key where unset.",
    )
    undeclared: Literal["report", "fail"] = Field(
        "report",
        description="What an entity that is not declared here meets: a warning and its metric, or an error.",
    )
    on_existing: OnExisting = Field(
        "revise",
        description=(
            "What another run does to a slot that holds a revision: add one, reuse it, or fail."
        ),
    )
    index: str = Field(
        default_factory=_default_index,
        description=(
            "Local folder of the index that ``archive find`` asks; it may be deleted at any time."
        ),
        json_schema_extra={
            "default_text": "$AIRFLOW_HOME/archive-index, else ~/.cache/platform-ops"
        },
    )

    evidence_days: int = Field(
        90,
        ge=1,
        description=(
            "How long the payloads of a refused delivery are kept as evidence, before ``archive expire`` "
            "removes them."
        ),
        json_schema_extra={"unit": "days"},
    )

    @model_validator(mode="after")
    def _check_encryption(self) -> Self:
        if self.encryption and not self.root.startswith("s3://"):
            raise ValueError(
                f"encryption = {self.encryption!r} is for roots in s3://; set a default key on the bucket "
                "or account of another store"
            )
        if self.kms_key and self.encryption not in ("aws:kms", "aws:kms:dsse"):
            raise ValueError(
                "kms_key is for encryption = 'aws:kms' or 'aws:kms:dsse'; set that too"
            )
        return self

    @property
    def encrypted_by(self) -> str | None:
        """What a manifest records of it."""
        return " ".join(filter(None, (self.encryption, self.kms_key))) or None
