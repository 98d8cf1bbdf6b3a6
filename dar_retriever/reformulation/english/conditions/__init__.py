"""What is said in English that no picture shows: prices, sizes, dates, how many results."""

from dar_retriever.reformulation.english.conditions.conversation import heard

__all__ = ["heard"]
