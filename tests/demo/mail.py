"""The demo's mailbox: what two suppliers have sent, with their invoices attached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP

from tests.fakes.imap import PostOffice, post_office

__all__ = ["inbox"]

SUPPLIERS = ("Fog Signals Ltd", "Barometers & Sons")


@contextmanager
def inbox() -> Iterator[PostOffice]:
    """Serve it on a free port of loopback until the block ends."""
    with post_office("invoices", "a-password-for-the-demo") as office:
        for number, supplier in enumerate(SUPPLIERS, start=1):
            office.deliver(_invoice(number, supplier))
        newsletter = EmailMessage(SMTP)
        newsletter["Subject"] = "Forty years of fog"
        newsletter.set_content("What we did last month.\n")
        office.deliver(bytes(newsletter))
        yield office


def _invoice(number: int, supplier: str) -> bytes:
    message = EmailMessage(SMTP)
    message["From"] = f"Billing <billing{number}@example.com>"
    message["Subject"] = f"Invoice {2015_000 + number}"
    message.set_content(f"Please find our invoice attached.\n\n{supplier}\n")
    message.add_attachment(
        f"%PDF-1.4 invoice {2015_000 + number} of {supplier}\n".encode(),
        maintype="application",
        subtype="pdf",
        filename=f"Invoice {2015_000 + number}.pdf",
    )
    message.set_boundary(f"invoice-{number}")
    return bytes(message)
