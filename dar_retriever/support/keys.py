"""Keys of hosted services: read from the environment, and kept out of all that is printed."""

from __future__ import annotations

import os
import re
from typing import Final

from dar_retriever.errors import ModelLoadError

_TELLING: Final = 8


class Key:
    """The key of a service; what is printed or pickled of it is only its variable's name.

    Args:
        variable: The environment variable that holds it.

    Raises:
        ModelLoadError: The variable is not set, or its value cannot be a key.
    """

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self._value = os.environ.get(variable, "").strip()
        if not self._value:
            raise ModelLoadError(
                f"the environment variable {variable} is not set; put the service's key there, "
                "such as with: export " + variable + "=..."
            )
        # Anything else cannot be sent in a header, and the error of the HTTP library shows it.
        if not (self._value.isascii() and self._value.isprintable()) or " " in self._value:
            raise ModelLoadError(
                f"the environment variable {variable} holds characters that no key has; copy the "
                "key again"
            )

    def reveal(self) -> str:
        """The key itself, for the service alone."""
        return self._value

    def hidden_in(self, text: str) -> str:
        """A text without the key, and without parts that begin as it does."""
        return re.sub(re.escape(self._value[:_TELLING]) + r"[^\s\"']*", "***", text)

    def __repr__(self) -> str:
        return f"Key({self.variable!r})"

    def __reduce__(self) -> tuple[type[Key], tuple[str]]:
        return Key, (self.variable,)
