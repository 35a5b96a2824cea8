"""Names of files as the text that tables, figures and other files hold."""

from __future__ import annotations

import re

_NO_TEXT = re.compile("[\udc80-\udcff]")


def text_of(name: str) -> str:
    """A name with what is no UTF-8 in it, as in names of old disks and archives, written `%FC`.

    Args:
        name: Of a file, as Python has it.
    """
    return _NO_TEXT.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)
