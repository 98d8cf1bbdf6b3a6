"""Language models: the protocol, and answers of a fixed form."""

from dar_retriever.language_models.answers import Line, Phrase, ask
from dar_retriever.language_models.base import LanguageModel, Message

__all__ = ["LanguageModel", "Line", "Message", "Phrase", "ask"]
