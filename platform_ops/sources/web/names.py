"""What an ``archiving_http`` connection's extra may hold beside headers and requests' own options."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["AUTH_FIELDS", "Auth"]

Auth = Literal["basic", "bearer", "api_key", "oauth2"]
"""How a connection proves who asks."""

AUTH_FIELDS: Final = (
    "auth",
    "api_key_name",
    "api_key_in",
    "token_url",
    "scope",
    "audience",
    "client_auth",
)
"""Fields of the extra that say so."""
