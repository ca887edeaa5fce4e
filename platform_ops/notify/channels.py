"""The ways out: one function a kind of channel, each over its Airflow connection and bounded in time.

What goes wrong is told as :class:`NotDelivered`, without an address, a token or an answer's text: all of
them may hold secrets.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import ExtraMissing, NotDelivered
from platform_ops.ingest.context import connection
from platform_ops.notify import mail, slack, web
from platform_ops.notify.endpoint import (
    connection_id,
    mail_sender,
    slack_connection,
    webhook_url,
)
from platform_ops.notify.message import Message

if TYPE_CHECKING:
    from email.message import EmailMessage

    from airflow.sdk import Connection

    from platform_ops.settings import ChannelSettings

__all__ = ["deliver"]

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.5
_LEAST_S: Final = 0.1


def deliver(message: Message, channel: ChannelSettings, timeout_s: float) -> None:
    """Send one message over one channel; what may pass is tried again, as long as there is time.

    :raises NotDelivered: It did not arrive, as far as anybody knows.
    :raises ConfigError: The connection is not there, or not of a type that leads there.
    :raises ExtraMissing: The library of the channel's kind is not installed.
    """
    until = time.monotonic() + timeout_s
    faults = []
    for each in _apart(channel):
        try:
            _insist(message, each, until)
        except NotDelivered as err:
            faults.append(err)  # the other addressees must hear of it all the same
    if faults:
        raise faults[0]


def _apart(channel: ChannelSettings) -> list[ChannelSettings]:
    """A bot posts to its Slack channels one by one: what one of them refuses is not sent twice to another."""
    if channel.kind != "slack" or slack_connection(channel).conn_type != "slack":
        return [channel]
    return [channel.model_copy(update={"to": (each,)}) for each in channel.to]


def _insist(message: Message, channel: ChannelSettings, until: float) -> None:
    send = _SENDERS[channel.kind]
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            send(message, channel, max(_LEAST_S, until - time.monotonic()))
        except NotDelivered as err:
            pause_s = _PAUSE_S * attempt if err.retry_after_s is None else err.retry_after_s
            left_s = until - time.monotonic() - pause_s
            if not err.again or attempt == _ATTEMPTS or left_s < _LEAST_S:
                raise
            time.sleep(pause_s)
        else:
            return


def _slack(message: Message, channel: ChannelSettings, timeout_s: float) -> None:
    found = slack_connection(channel)
    mentions = channel.mentions if message.severity == "critical" else ()
    body = slack.render(message, mentions)
    if found.conn_type == "slackwebhook":
        _slack_webhook(found.conn_id, body, timeout_s)
    else:
        (addressee,) = channel.to
        _slack_api(found.conn_id, {**body, "channel": addressee}, timeout_s)


def _slack_api(conn_id: str, body: dict[str, Any], timeout_s: float) -> None:  # Any: JSON values
    try:
        from airflow.providers.slack.hooks.slack import SlackHook
        from slack_sdk.errors import SlackApiError
    except ImportError as err:
        raise ExtraMissing("Slack's provider", "slack", "telling Slack") from err
    client = SlackHook(
        slack_conn_id=conn_id, timeout=max(1, int(timeout_s)), retry_handlers=[]
    ).client
    try:
        client.api_call("chat.postMessage", json=body)
    except SlackApiError as err:
        answer = err.response
        code = answer.get("error") if not isinstance(answer, str) else None
        status, headers = getattr(answer, "status_code", 0), getattr(answer, "headers", {})
        if status != 200:
            raise _refused("Slack", status, headers) from None
        # Its words for what is wrong, such as channel_not_found, are a fixed list.
        raise NotDelivered(
            f"Slack refused the message: {code}", again=code in ("ratelimited", "internal_error")
        ) from None
    except OSError as err:
        raise _unreached("Slack", err) from None


def _slack_webhook(conn_id: str, body: dict[str, Any], timeout_s: float) -> None:  # Any: JSON
    try:
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
    except ImportError as err:
        raise ExtraMissing("Slack's provider", "slack", "telling Slack") from err
    hook = SlackWebhookHook(
        slack_webhook_conn_id=conn_id, timeout=max(1, int(timeout_s)), retry_handlers=[]
    )
    try:
        answer = hook.client.send_dict(body)
    except OSError as err:
        raise _unreached("Slack", err) from None
    if answer.status_code != 200:
        raise _refused("Slack", answer.status_code, answer.headers)


def _email(message: Message, channel: ChannelSettings, timeout_s: float) -> None:
    try:
        from airflow.providers.smtp.hooks.smtp import SmtpHook
    except ImportError as err:
        raise ExtraMissing("the SMTP provider", "smtp", "sending mail") from err
    conn_id = connection_id(channel)

    class Post(SmtpHook):
        """The stock hook with its ways to sign in, for a mail that is written already."""

        smtp_retry_limit = 0
        timeout: Any = timeout_s  # Any: a fraction is as good to a socket

        def send(self, letter: EmailMessage) -> None:
            with self:
                client: Any = self._smtp_client  # Any: the hook's own, of either of its kinds
                client.send_message(letter)

    sender = mail_sender(connection(conn_id))
    letter = mail.render(message, sender, channel.to)
    try:
        Post(smtp_conn_id=conn_id).send(letter)
    except smtplib.SMTPResponseException as err:
        again = 400 <= err.smtp_code < 500
        raise NotDelivered(f"the mail server refused it: {err.smtp_code}", again=again) from None
    except smtplib.SMTPRecipientsRefused as err:
        codes = sorted({code for code, _ in err.recipients.values()})
        again = all(400 <= code < 500 for code in codes)
        raise NotDelivered(
            f"the mail server takes none of the addresses: {codes}", again=again
        ) from None
    except (OSError, smtplib.SMTPException) as err:
        raise _unreached("the mail server", err) from None


def _webhook(message: Message, channel: ChannelSettings, timeout_s: float) -> None:
    import httpx

    found = connection(connection_id(channel))
    body = web.render(message)
    headers = {
        **_headers(found),
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "platform-ops",
        "Idempotency-Key": message.id,
    }
    if found.password:
        headers[web.SIGNATURE] = web.signature(body, found.password, int(time.time()))
    try:
        answer = httpx.post(
            webhook_url(found),
            content=body,
            headers=headers,
            timeout=timeout_s,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as err:
        raise _unreached("the webhook", err) from None
    if not answer.is_success:
        raise _refused("the webhook", answer.status_code, answer.headers)


def _headers(found: Connection) -> dict[str, str]:
    told = found.extra_dejson.get("headers") or {}
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _refused(
    who: str, status: int, headers: Mapping[str, Any]
) -> NotDelivered:  # Any: texts or lists
    wait: Any = next(  # Any: a text, or a list of them
        (value for name, value in headers.items() if name.lower() == "retry-after"), None
    )
    text = str(wait[0] if isinstance(wait, list) else wait)
    # A date is allowed too, and means minutes: longer than any task waits.
    seconds = float(text) if text.isdigit() else None
    return NotDelivered(
        f"{who} answered HTTP {status}",
        again=status == 429 or status >= 500,
        retry_after_s=seconds,
    )


def _unreached(who: str, err: Exception) -> NotDelivered:
    # Not the error's own text: it may name an address that is a secret, as those of Slack's webhooks are.
    return NotDelivered(f"{who} could not be reached: {type(err).__name__}", again=True)


_SENDERS: Final[Mapping[str, Callable[[Message, ChannelSettings, float], None]]] = {
    "slack": _slack,
    "email": _email,
    "webhook": _webhook,
}
