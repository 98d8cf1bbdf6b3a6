"""Language models: the protocol, and answers of a fixed form."""

from dar_retriever.language_models.answers import Line, Phrase, ask
from dar_retriever.language_models.base import LanguageModel, Message
from dar_retriever.language_models.local import LocalLanguageModel

__all__ = ["LanguageModel", "Line", "LocalLanguageModel", "Message", "Phrase", "ask"]
