"""Addresses that may hold a password, as they are shown."""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = "***"
# Greedy, because people forget to encode an "@" in a password.
_BEFORE_HOST: Final = re.compile(r"(://[^\s:@/]*):\S*@")
_OPTION: Final = re.compile(r"(password=)[^&\s'\"#]*", re.IGNORECASE)


def shown_address(text: object) -> str:
    """A text with the passwords of the addresses in it hidden: "postgresql://me:***@host/db"."""
    return _OPTION.sub(rf"\1{_HIDDEN}", _BEFORE_HOST.sub(rf"\1:{_HIDDEN}@", str(text)))
