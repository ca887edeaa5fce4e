"""What a site sets of the archive browser."""

from __future__ import annotations

from pydantic import Field

from platform_ops.settings.section import Section

__all__ = ["UiSettings"]


class UiSettings(Section):
    """``[ui]``: the archive browser in Airflow's UI."""

    refresh_s: int = Field(
        30,
        ge=0,
        description=(
            "How old what the pages tell may be, before the archive is listed again. A listing that takes "
            "long goes on while the page shows what was known before."
        ),
        json_schema_extra={"unit": "seconds"},
    )
    verify_limit_bytes: int = Field(
        4 << 30,
        ge=1,
        description=(
            "The most that *Verify now* reads of a slot; of a larger one the page names the command "
            "that verifies it."
        ),
        json_schema_extra={"unit": "bytes"},
    )
