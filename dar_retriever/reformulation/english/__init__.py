"""English: how people describe, answer, correct and rule out in it."""

from dar_retriever.reformulation.english.reading import English

__all__ = ["English"]
