"""All errors that this package raises on purpose.

    DARError
    ├── InvalidInputError (also ValueError)
    │   ├── EmptyDialogueError
    │   ├── InvalidImageError
    │   └── InvalidFilterError
    ├── ModelLoadError
    ├── GenerationError
    ├── LanguageModelError
    ├── UndecidedError
    ├── IngestError
    ├── StoreError
    │   ├── StoreUnavailableError
    │   └── EncoderMismatchError
    └── MissingExtraError (also ImportError)

Every message says which value is wrong, why, and what to do.
"""

from __future__ import annotations


class DARError(Exception):
    """Base of all errors of this package."""


class InvalidInputError(DARError, ValueError):
    """An argument is not valid; nothing was done."""


class EmptyDialogueError(InvalidInputError):
    """The dialogue has no word and no image of the user."""


class InvalidImageError(InvalidInputError):
    """Something cannot be read as an image."""


class InvalidFilterError(InvalidInputError):
    """The image store does not understand a metadata filter."""


class ModelLoadError(DARError):
    """A model cannot be opened: it is missing, of the wrong kind, or the hub is not reachable."""


class GenerationError(DARError):
    """No image could be generated for a request."""


class LanguageModelError(DARError):
    """A language model gave no usable answer."""


class UndecidedError(DARError):
    """A re-ranker has too little to go by; the order of the search stands."""


class IngestError(DARError):
    """There is nothing to index."""


class StoreError(DARError):
    """The image store failed, or refused a request."""


class StoreUnavailableError(StoreError):
    """The image store does not answer."""


class EncoderMismatchError(StoreError):
    """The collection was filled by another encoder."""


class MissingExtraError(DARError, ImportError):
    """A package is missing that an extra installs."""
