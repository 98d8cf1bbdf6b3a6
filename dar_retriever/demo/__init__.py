"""The embedded default: a drawn catalogue, a simulated user, small weights, a show of it."""

from dar_retriever.demo.retriever import demo_retriever

__all__ = ["demo_retriever"]
