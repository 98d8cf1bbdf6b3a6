"""Everything this package raises on purpose.

    DARError
    ├── InvalidInputError (also ValueError)
    │   ├── EmptyDialogueError
    │   ├── InvalidImageError
    │   └── InvalidFilterError
    ├── ModelLoadError
    ├── GenerationError
    ├── LanguageModelError
    ├── IngestError
    ├── StoreError
    │   ├── StoreUnavailableError
    │   └── EncoderMismatchError
    └── MissingExtraError (also ImportError)

Every message names the value, the reason and the way out.
"""

from __future__ import annotations


class DARError(Exception):
    """Base of all errors of this package."""


class InvalidInputError(DARError, ValueError):
    """An argument has no meaning; nothing was done."""


class EmptyDialogueError(InvalidInputError):
    """A dialogue without a word or an image of the user."""


class InvalidImageError(InvalidInputError):
    """Something given as an image cannot be read as one."""


class InvalidFilterError(InvalidInputError):
    """The image store does not understand a metadata filter."""


class ModelLoadError(DARError):
    """A model cannot be opened: no such folder, hub not reachable, wrong kind."""


class GenerationError(DARError):
    """No image could be generated for a request."""


class LanguageModelError(DARError):
    """A language model gave no answer that can be used."""


class IngestError(DARError):
    """There is nothing to ingest."""


class StoreError(DARError):
    """The image store refuses what is asked of it."""


class StoreUnavailableError(StoreError):
    """The image store does not answer."""


class EncoderMismatchError(StoreError):
    """A collection was filled by another encoder than the one it is opened with."""


class MissingExtraError(DARError, ImportError):
    """A package is needed that an extra of this distribution installs."""
