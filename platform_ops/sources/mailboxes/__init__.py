"""A mailbox over IMAP: messages by their UIDs, and what is in them."""
