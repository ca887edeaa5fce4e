"""What goes wrong at a shelf."""


class ShelfError(Exception):
    """Something at the shelf failed."""

    retryable = False


class ShelfClosed(ShelfError):
    """It is night; come back."""

    retryable = True
