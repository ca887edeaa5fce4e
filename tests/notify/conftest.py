"""A site with channels, and servers at their far ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platform_ops.settings import Settings, load
from tests.fakes.slack import Slack
from tests.fakes.smtp import MailServer, mail_server
from tests.fakes.wire import Wire

Agree = Callable[[str], Settings]


@pytest.fixture
def agree(tmp_path: Path, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Agree:
    """Write what the site has set, and read it."""
    path = tmp_path / "platform.toml"
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))

    def write(text: str) -> Settings:
        path.write_text(text)
        return load().settings

    write("")
    return write


@pytest.fixture
def slack(server: Wire, monkeypatch: pytest.MonkeyPatch) -> Slack:
    """Slack, over ``slack_bot`` and ``slack_hook``."""
    found = Slack(server)
    found.connect_bot(monkeypatch)
    found.connect_webhook(monkeypatch)
    return found


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server, over ``smtp_default``."""
    with mail_server() as found:
        found.connect(monkeypatch)
        yield found
