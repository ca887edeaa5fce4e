"""One file per system that data comes from, holding its hook and its operators.

What several of them stand on lies below: ``web`` speaks HTTP, ``tables`` turns result sets into Parquet,
``folders`` reaches files, ``mailboxes`` reads mail; ``calls`` and ``progress`` serve more than one.
"""
